//go:build !cgo || !libdb

package bdbmap_test

import (
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// TestNoWriting: a build without libdb reads tables that are opened for writing
// too, and says what to do about the rest.
func TestNoWriting(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		w.postmap("", typ+":"+w.write("t", "a b\n"))
		h := w.mustOpen(typ, "t", maptypes.Create)
		if got := get(h, "a"); got != "b" {
			t.Errorf("%s: %q", typ, got)
		}
		_, createErr := registry.Create(w.env, typ+":"+w.path("t"), 0)
		_, openErr := w.open(typ, "none", maptypes.Create)
		for _, err := range []error{put(h, "c", "d"), del(h, "a"), createErr, openErr} {
			if maptypes.Class(err) != maptypes.ErrConfig || !strings.HasPrefix(err.Error(), "Berkeley DB support for '"+typ+":"+w.dir) ||
				!strings.Contains(err.Error(), "not available for this build") {
				t.Errorf("%s: %v", typ, err)
			}
		}
		if got := get(h, "a"); got != "b" {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

// TestWarnRedirectsWriting: at the level warn things go on working.
func TestWarnRedirectsWriting(t *testing.T) {
	w := newWorld(t)
	w.params["non_bdb_migration_level"] = "warn"
	w.params["default_cache_db_type"] = "bolt"
	h := w.mustOpen("btree", "t", maptypes.Create)
	if err := put(h, "a", "b"); err != nil {
		t.Error(err)
	}
	if got := get(h, "a"); got != "b" {
		t.Errorf("got %q", got)
	}
	if got, want := w.logged(), "warning: this build cannot write btree:DIR/t; using bolt:DIR/t"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
}
