package indexed_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestSizeLimit starts with the smallest size limit and stores much more, by
// updates and by building.
func TestSizeLimit(t *testing.T) {
	if !lmdbWrites {
		return
	}
	w := newWorld(t)
	w.env.Param = func(name string) (string, bool) { return "8192", name == "lmdb_map_size" }
	h := w.mustOpen("lmdb", "t", maptypes.Create, fold)
	reader := w.mustOpen("lmdb", "t", maptypes.ReadOnly, fold)
	second := w.mustOpen("lmdb", "t", maptypes.ReadWrite, fold)
	value := strings.Repeat("v", 20000)
	for i := range 60 {
		writer := h
		if i%2 == 1 {
			writer = second
		}
		key := fmt.Sprintf("k%d", i)
		if err := put(writer, key, value); err != nil {
			t.Fatal(err)
		}
		if get(reader, key) != value {
			t.Fatalf("%s is not there", key)
		}
	}
	var pairs []string
	for i := range 20000 {
		pairs = append(pairs, fmt.Sprintf("k%d", i), value[:300+i%300])
	}
	w.mustBuild("lmdb", "u", 0, pairs...)
	u := w.mustOpen("lmdb", "u", maptypes.ReadOnly, fold)
	for i := 0; i < len(pairs); i += 2 {
		if get(u, pairs[i]) != pairs[i+1] {
			t.Fatalf("%s is not there", pairs[i])
		}
	}
}

// TestKeyLimits stores keys of all sizes around the limits.
func TestKeyLimits(t *testing.T) {
	limits := map[string]int{"lmdb": 510, "bolt": 32768}
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		limit := limits[typ]
		for _, size := range []int{1, limit, limit + 1, 100000} {
			key := strings.Repeat("k", size)
			err := put(h, key, "x")
			want, value := error(nil), "x"
			if size > limit {
				want, value = maptypes.ErrConfig, "<not found>"
			}
			if maptypes.Class(err) != want || want != nil && maptypes.Reason(err) == "" {
				t.Errorf("%d bytes: update: %v", size, err)
			}
			if got := get(h, key); got != value {
				t.Errorf("%d bytes: %q", size, got)
			}
			if err := del(h, key); (err == nil) != (want == nil) || err != nil && err != maptypes.ErrNotFound {
				t.Errorf("%d bytes: delete: %v", size, err)
			}
		}
		if got := get(h, ""); got != "<not found>" {
			t.Errorf("no bytes: %q", got)
		}
	})
}

// TestLargeValues stores values that need pages of their own.
func TestLargeValues(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		for _, size := range []int{0, 1, 2000, 4078, 4079, 4080, 4081, 5000, 100_000, 3_000_000} {
			value := strings.Repeat("v", size)
			if err := put(h, "k", value); err != nil {
				t.Fatal(err)
			}
			if err := put(h, fmt.Sprintf("k%d", size), value); err != nil {
				t.Fatal(err)
			}
			if got := get(h, "k"); got != value {
				t.Errorf("%d bytes, want %d", len(got), size)
			}
		}
	})
}

// TestDuplicateUpdates updates without leave to replace.
func TestDuplicateUpdates(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		for _, c := range []struct {
			flags maptypes.Flags
			log   string
			err   string
			value string
		}{
			{0, "", "", "0"}, // it is new
			{maptypes.FlagDupIgnore, "", "", "0"},
			{maptypes.FlagDupWarn, `warning: ` + typ + `:` + w.path("t") + `: duplicate entry: "k"`, "", "0"},
			{0, "", typ + ":" + w.path("t") + `: duplicate entry: "k"`, "0"},
			{maptypes.FlagDupReplace, "", "", "4"},
		} {
			n := map[maptypes.Flags]string{maptypes.FlagDupReplace: "4"}[c.flags]
			if n == "" {
				n = "0"
			}
			r := &maptypes.Request{Key: []byte("k"), Value: []byte(n), Flags: h.Flags() | c.flags}
			err := h.Update(t.Context(), r)
			if text := fmt.Sprint(err); c.err == "" && err != nil || c.err != "" && text != c.err {
				t.Errorf("flags %v: %v, want %q", c.flags, err, c.err)
			}
			if got := w.logged(); got != c.log {
				t.Errorf("flags %v: logged %q, want %q", c.flags, got, c.log)
			}
			if got := get(h, "k"); got != c.value {
				t.Errorf("flags %v: %q, want %q", c.flags, got, c.value)
			}
		}
	})
}

// TestReadOnlyTables: nothing can be changed that is open for reading.
func TestReadOnlyTables(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		w.mustBuild(typ, "t", 0, "a", "1")
		before, err := os.ReadFile(w.path("t." + typ))
		if err != nil {
			t.Fatal(err)
		}
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		if err := put(h, "a", "2"); maptypes.Class(err) != maptypes.ErrConfig {
			t.Errorf("update: %v", err)
		}
		if err := del(h, "a"); maptypes.Class(err) != maptypes.ErrConfig {
			t.Errorf("delete: %v", err)
		}
		list(t, h)
		after, err := os.ReadFile(w.path("t." + typ))
		if err != nil || string(after) != string(before) {
			t.Errorf("the file has changed (%v)", err)
		}
	})
}

// next performs one sequence request.
func next(t *testing.T, h *maptypes.Handle, c *maptypes.Cursor) string {
	t.Helper()
	key, value, err := h.Sequence(t.Context(), &maptypes.Request{Flags: h.Flags()}, c)
	if err != nil {
		return maptypes.Class(err).Error()
	}
	return string(key) + "=" + string(value)
}

// TestSequenceWhileChanging deletes and adds entries during a sequence.
func TestSequenceWhileChanging(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		for _, key := range []string{"b", "d", "f", "h"} {
			if err := put(h, key, "1"); err != nil {
				t.Fatal(err)
			}
		}
		var c maptypes.Cursor
		check := func(want string) {
			t.Helper()
			if got := next(t, h, &c); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		check("b=1")
		do(put(h, "c", "2"))
		do(put(h, "a", "2"))
		check("c=2")
		do(del(h, "d"))
		check("f=1")
		do(del(h, "f"))
		if typ == "lmdb" {
			check("not found") // as recorded
			check("a=2")
			return
		}
		check("h=1")
		check("not found")
		check("a=2")
	})
}

// TestCdbSequenceInNewFile makes the file anew during a sequence.
func TestCdbSequenceInNewFile(t *testing.T) {
	w := newWorld(t)
	w.env.Daemon = true
	w.mustBuild("cdb", "t", 0, "one", "1", "two", "2", "three", "3")
	h := w.mustOpen("cdb", "t", maptypes.ReadOnly, fold)
	var c maptypes.Cursor
	if got := next(t, h, &c) + " " + next(t, h, &c); got != "one=1 two=2" {
		t.Fatal(got)
	}
	w.mustBuild("cdb", "t", 0, "zero and more", "0", "two", "22", "four", "4")
	if got := next(t, h, &c) + " " + next(t, h, &c); got != "four=4 not found" {
		t.Error(got)
	}
	if got := next(t, h, &c); got != "zero and more=0" {
		t.Error(got)
	}
}

// TestHashZero looks for a key whose hash is 0, which marks nothing.
func TestHashZero(t *testing.T) {
	w := newWorld(t)
	w.mustBuild("cdb", "t", 0, "s9nrcue", "1")
	if got := get(w.mustOpen("cdb", "t", maptypes.ReadOnly, fold), "s9nrcue"); got != "1" {
		t.Error(got)
	}
}
