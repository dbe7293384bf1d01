package indexed_test

import (
	"fmt"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

const fold = maptypes.FlagLock | maptypes.FlagFoldFix

// types are the map types; cdb cannot be updated.
var types = []string{"cdb", "lmdb", "bolt"}

// forTypes runs a test for each type that this build can make tables of.
func forTypes(t *testing.T, test func(t *testing.T, typ string)) {
	for _, typ := range types {
		if typ != "lmdb" || lmdbWrites {
			t.Run(typ, func(t *testing.T) { test(t, typ) })
		}
	}
}

// forWritable runs a test for each type that can be updated.
func forWritable(t *testing.T, test func(t *testing.T, typ string)) {
	for _, typ := range types {
		if typ == "bolt" || typ == "lmdb" && lmdbWrites {
			t.Run(typ, func(t *testing.T) { test(t, typ) })
		}
	}
}

func TestBuildAndRead(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		var pairs []string
		for i := range 5000 {
			pairs = append(pairs, fmt.Sprintf("key%d", i*31%5000), fmt.Sprintf("value %d", i))
		}
		w.mustBuild(typ, "t", fold, pairs...)
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		for i := 0; i < len(pairs); i += 2 {
			if got := get(h, pairs[i]); got != pairs[i+1] {
				t.Fatalf("%s: %q, want %q", pairs[i], got, pairs[i+1])
			}
		}
		for _, key := range []string{"", "key", "key5000", "zzz", "\x00"} {
			if got := get(h, key); got != "<not found>" {
				t.Errorf("%q: %q", key, got)
			}
		}
		if got := get(h, "KEY77"); got != get(h, "key77") {
			t.Errorf("folded: %q", got)
		}
	})
}

func TestUpdates(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		want := map[string]string{}
		for i := range 300 {
			key := fmt.Sprintf("k%d", i*7%100)
			if i%5 == 4 {
				_, there := want[key]
				err := del(h, key)
				if there && err != nil || !there && err != maptypes.ErrNotFound {
					t.Fatalf("delete %s (there: %v): %v", key, there, err)
				}
				delete(want, key)
				continue
			}
			want[key] = fmt.Sprintf("v%d", i)
			if err := put(h, key, want[key]); err != nil {
				t.Fatal(err)
			}
		}
		again := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		for i := range 100 {
			key := fmt.Sprintf("k%d", i)
			value, there := want[key]
			if !there {
				value = "<not found>"
			}
			if got, other := get(h, key), get(again, key); got != value || other != value {
				t.Errorf("%s: %q and %q, want %q", key, got, other, value)
			}
		}
	})
}
