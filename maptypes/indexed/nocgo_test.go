//go:build !cgo

package indexed_test

import (
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// lmdbWrites: this build cannot write lmdb files.
const lmdbWrites = false

// TestLmdbWithoutLibrary reads a file that Postfix made, and is refused to write.
func TestLmdbWithoutLibrary(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	w := newWorld(t)
	path := w.write("t", "a 1\n")
	if _, log, code := w.postmap("", "lmdb:"+path); code != 0 {
		t.Fatal(log)
	}
	if got := get(w.mustOpen("lmdb", "t", maptypes.ReadOnly, fold), "a"); got != "1" {
		t.Error(got)
	}
	_, err := w.open("lmdb", "t", maptypes.ReadWrite, fold)
	for _, err := range []error{err, w.build("lmdb", "t", 0, "a", "1")} {
		if maptypes.Class(err) != maptypes.ErrConfig || !strings.HasPrefix(err.Error(), "unsupported dictionary type: lmdb") {
			t.Errorf("writing: %v", err)
		}
	}
}
