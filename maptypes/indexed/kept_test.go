package indexed_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestKeptPages reads a table until all of it is in memory. A change by somebody
// else is seen at once, and a file that is cut costs no answer its truth.
func TestKeptPages(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		const entries = 3000
		key := func(i int) string { return fmt.Sprintf("key%05d@example.com", i) }
		value := func(i int) string { return fmt.Sprintf("value %d of the table", i) }
		var pairs []string
		for i := range entries {
			pairs = append(pairs, key(i), value(i))
		}
		w := newWorld(t)
		w.mustBuild(typ, "t", 0, pairs...)
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		readAll := func() {
			t.Helper()
			time.Sleep(60 * time.Millisecond) // until no further change can go unseen
			for range 2 {
				for i := range entries {
					if got := get(h, key(i)); got != value(i) {
						t.Fatalf("%s: %q", key(i), got)
					}
				}
			}
		}
		readAll()
		if typ != "cdb" {
			other := w.mustOpen(typ, "t", maptypes.ReadWrite, fold)
			for _, want := range []string{"changed", "again", value(7)} {
				if err := put(other, key(7), want); err != nil {
					t.Fatal(err)
				}
				if got := get(h, key(7)); got != want {
					t.Errorf("after an update: %q, want %q", got, want)
				}
			}
			readAll()
		}
		info, err := os.Stat(w.path("t." + typ))
		if err != nil {
			t.Fatal(err)
		}
		// In the middle of a page too, where memory would show zeroes.
		for _, size := range []int64{info.Size() - 100, info.Size()/2 + 1234, 5000, 100, 0} {
			if err := os.Truncate(w.path("t."+typ), size); err != nil {
				t.Fatal(err)
			}
			for i := range entries {
				r := &maptypes.Request{Key: []byte(key(i)), Flags: h.Flags()}
				got, err := h.Lookup(t.Context(), r)
				if err == maptypes.ErrNotFound || err == nil && string(got) != value(i) {
					t.Fatalf("%d bytes, %s: %q, %v", size, key(i), got, err)
				}
			}
		}
	})
}

// TestCommitIsSeenAtOnce makes the commit of somebody else appear between two
// lookups that follow each other so closely that the file's time is not looked at.
func TestCommitIsSeenAtOnce(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		path := w.path("t." + typ)
		w.mustBuild(typ, "t", 0, "a", "old", "b", "same")
		var states [2][]byte
		read := func() []byte {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
		states[0] = read()
		if err := put(w.mustOpen(typ, "t", maptypes.ReadWrite, fold), "a", "new"); err != nil {
			t.Fatal(err)
		}
		states[1] = read()
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		// As a writer does it: the meta pages, which come first, are the last to change.
		commit := func(content []byte) {
			const metaPages = 2 * 4096
			for _, part := range [][2]int{{metaPages, len(content)}, {0, metaPages}} {
				if _, err := f.WriteAt(content[part[0]:part[1]], int64(part[0])); err != nil {
					t.Fatal(err)
				}
			}
		}
		for round := range 6 {
			time.Sleep(60 * time.Millisecond)
			now := []string{"new", "old"}
			for range 3 {
				if got := get(h, "a"); got != now[round%2] {
					t.Fatalf("round %d, before: %q", round, got)
				}
			}
			commit(states[round%2])
			if got, want := get(h, "a"), now[(round+1)%2]; got != want {
				t.Fatalf("round %d: %q, want %q", round, got, want)
			}
		}
	})
}
