package config

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestHalfWrittenFile reads a main.cf that somebody is writing in place, as editors do.
func TestHalfWrittenFile(t *testing.T) {
	for _, c := range []struct{ name, now, soon string }{
		{"empty", "", "mydomain = example.org\n"},
		{"cut off", "mydomain = exam", "mydomain = example.org\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "main.cf")
			synctest.Test(t, func(t *testing.T) {
				write := func(text string) {
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Error(err)
					}
					if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
						t.Error(err)
					}
				}
				write(c.now)
				time.AfterFunc(350*time.Millisecond, func() { write(c.soon) })
				if text, err := ReadFile(file); err != nil || text != c.soon {
					t.Errorf("%q, %v", text, err)
				}
			})
		})
	}
}

// TestFileWithoutEnd reads a file whose last line has no end because nobody ever wrote one.
func TestFileWithoutEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.cf")
	synctest.Test(t, func(t *testing.T) {
		if err := os.WriteFile(file, []byte("mydomain = example.org"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if text, err := ReadFile(file); err != nil || text != "mydomain = example.org" {
			t.Errorf("%q, %v", text, err)
		}
	})
}
