package check_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBroken runs the check on configurations with one mistake each.
func TestBroken(t *testing.T) {
	t.Parallel()
	forFiles(t, "../../testdata/check/broken/*.conf", 25, func(t *testing.T, path string) {
		s := newSite(t, path, 1)
		got, sum := s.check()
		if len(s.want) == 0 || !slices.Equal(got, s.want) {
			t.Errorf("got:\n%s\nwant:\n%s\n%s", strings.Join(got, "\n"), strings.Join(s.want, "\n"), sum)
		}
	})
}

// TestGood runs it on configurations without one.
func TestGood(t *testing.T) {
	t.Parallel()
	forFiles(t, "../../testdata/check/good/*.conf", 1, func(t *testing.T, path string) {
		s := newSite(t, path, 0)
		got, sum := s.check()
		if len(got) > 0 || !strings.Contains(sum, " 0 with problems") || strings.HasPrefix(sum, "0 ") {
			t.Errorf("got:\n%s\n%s", strings.Join(got, "\n"), sum)
		}
	})
}

func forFiles(t *testing.T, pattern string, least int, f func(t *testing.T, path string)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) < least {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".conf"), func(t *testing.T) {
			t.Parallel()
			f(t, path)
		})
	}
}
