package bdb_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

var kinds = []bdb.Kind{bdb.Hash, bdb.Btree}

// tempDir returns a directory with a short path.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// open returns a view of a file.
func open(t testing.TB, path string, kind bdb.Kind) *bdb.View {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := bdb.NewFile(f, fileSize(f), kind).View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fileSize(f *os.File) func() (int64, error) {
	return func() (int64, error) {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
}

// list returns all entries as postmap -s prints them.
func list(t testing.TB, v *bdb.View) string {
	t.Helper()
	var out strings.Builder
	var pos bdb.Position
	for {
		both, size, err := v.Next(&pos, nil)
		if err == maptypes.ErrNotFound {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\t%s\n", cString(both[:size]), cString(both[size:]))
	}
}

func cString(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// postmap runs Postfix's program.
func postmap(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("postmap", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("postmap %v: %v: %s", args, err, log.String())
	}
	return string(out)
}

// tables are sources of tables, by what they are about.
func tables() map[string]string {
	var large, long, alike, mixed strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&large, "user%d@example.com value %d %s\n", i*7919%20_000, i, strings.Repeat("x", 1+i%50))
	}
	for i := range 300 {
		fmt.Fprintf(&long, "%s%d %d%s\n", strings.Repeat("k", i*67%20_000), i, i, strings.Repeat("v", i*31%20_000))
		fmt.Fprintf(&alike, "%s%d x\n", strings.Repeat("same", 150), i)
		fmt.Fprintf(&mixed, "%c%d 1\n", 'a'+i%26, i)
	}
	return map[string]string{
		"empty": "# nothing\n", "one": "a b\n", "large": large.String(), "long": long.String(),
		"alike": alike.String(), "mixed": mixed.String(),
	}
}

// compare checks that every entry is found, others are not, and that the order
// is that of libdb.
func compare(t *testing.T, path string, kind bdb.Kind, option ...string) {
	t.Helper()
	spec := kind.String() + ":" + path
	want := postmap(t, "", "-s", spec)
	v := open(t, path+".db", kind)
	if got := list(t, v); got != want {
		t.Errorf("listed %d bytes, want %d, or in another order", len(got), len(want))
	}
	if err := v.Check(); (err != nil) != strings.Contains(want, "many\tmany") {
		t.Errorf("check: %v", err) // duplicates are refused
	}
	null := "\x00"
	if len(option) > 0 && option[0] == "-n" {
		null = ""
	}
	last := ""
	for line := range strings.Lines(want) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if key == last { // the first of several values counts
			continue
		}
		last = key
		got, err := v.Get([]byte(key+null), nil)
		if err != nil || string(got) != value+null {
			t.Fatalf("%.80q: %.80q, %v, want %.80q", key, got, err, value)
		}
		for _, other := range []string{key + "x" + null, key + null + "\x00", "x" + key} {
			if got, err := v.Get([]byte(other), nil); err != maptypes.ErrNotFound {
				t.Fatalf("%.80q: %.80q, %v, want none", other, got, err)
			}
		}
	}
}

func TestFilesOfPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, kind := range kinds {
		for name, source := range tables() {
			for _, option := range []string{"-N", "-n"} {
				t.Run(fmt.Sprint(kind, " ", name, option), func(t *testing.T) {
					path := filepath.Join(tempDir(t), "t")
					if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
						t.Fatal(err)
					}
					postmap(t, "", option, kind.String()+":"+path)
					compare(t, path, kind, option)
				})
			}
		}
	}
}

// TestChangedFiles compares after many deletions and insertions in place.
func TestChangedFiles(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			path := filepath.Join(tempDir(t), "t")
			spec := kind.String() + ":" + path
			var source, gone, more strings.Builder
			for i := range 30_000 {
				fmt.Fprintf(&source, "key%d %s\n", i, strings.Repeat("v", i%100+1))
				if i%10 != 3 {
					fmt.Fprintf(&gone, "key%d\n", i)
				}
				fmt.Fprintf(&more, "new%d %s\n", i*11%30_000, strings.Repeat("w", i%37+1))
			}
			if err := os.WriteFile(path, []byte(source.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			postmap(t, "", spec)
			postmap(t, gone.String(), "-d", "-", spec)
			compare(t, path, kind)
			postmap(t, more.String(), "-i", spec)
			compare(t, path, kind)
			postmap(t, strings.ReplaceAll(source.String(), " ", "\n"), "-d", "-", spec)
			compare(t, path, kind)
		})
	}
}

// TestDeletedEntries: an entry that was deleted under a cursor stays in its page
// with a mark.
func TestDeletedEntries(t *testing.T) {
	content, err := os.ReadFile("testdata/btree-one.db")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range []string{"\x02\x00\x01a\x00", "\x02\x00\x01b\x00"} {
		marked := strings.Replace(item, "\x01", "\x81", 1)
		path := filepath.Join(tempDir(t), "t.db")
		changed := strings.Replace(string(content), item, marked, 1)
		if changed == string(content) {
			t.Fatalf("no %q in the file", item)
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		v := open(t, path, bdb.Btree)
		if got, err := v.Get([]byte("a\x00"), nil); err != maptypes.ErrNotFound {
			t.Errorf("%q: %q, %v", item, got, err)
		}
		if got := list(t, v); got != "" {
			t.Errorf("%q: listed %q", item, got)
		}
	}
}
