package cache_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cache"
)

// TestFlagsAreOfTheAnswer: an answer is that of its request flags, and changes the flags of each request as the table did.
func TestFlagsAreOfTheAnswer(t *testing.T) {
	w := newWorld(t, "back:x")
	h := w.open("back:x")
	w.back.then(func(n int, r *maptypes.Request) (string, error) {
		answer := fmt.Sprintf("%v", r.Flags&(maptypes.FlagTry0Null|maptypes.FlagTry1Null|maptypes.FlagNoRegsub))
		r.Flags = r.Flags&^maptypes.FlagTry1Null | maptypes.FlagMultiWriter
		if string(r.Key) == "none" {
			return "", maptypes.ErrNotFound
		}
		return answer, nil
	})
	both := maptypes.FlagTry0Null | maptypes.FlagTry1Null
	tests := []struct {
		flags  maptypes.Flags
		answer string
		after  maptypes.Flags
	}{
		{both, "try0null|try1null", maptypes.FlagTry0Null},
		{maptypes.FlagTry1Null, "try1null", 0},
		{maptypes.FlagNoRegsub, "no_regsub", maptypes.FlagNoRegsub},
		{0, "none", 0},
		// These do not matter to a lookup.
		{both | maptypes.FlagLock, "try0null|try1null", maptypes.FlagTry0Null | maptypes.FlagLock},
		{both | maptypes.FlagDupReplace | maptypes.FlagSyncUpdate, "try0null|try1null", maptypes.FlagTry0Null | maptypes.FlagDupReplace | maptypes.FlagSyncUpdate},
	}
	for range 3 {
		for _, tt := range tests {
			for _, key := range []string{"a", "none"} {
				r := &maptypes.Request{Flags: tt.flags, Key: []byte(key)}
				value, err := h.Lookup(context.Background(), r)
				if key == "a" && (string(value) != tt.answer || err != nil) || key == "none" && err != maptypes.ErrNotFound {
					t.Errorf("%s, flags %v: got %q, %v", key, tt.flags, value, err)
				}
				if want := tt.after | maptypes.FlagMultiWriter; r.Flags != want {
					t.Errorf("%s, flags %v: became %v, want %v", key, tt.flags, r.Flags, want)
				}
			}
		}
	}
	if n := w.back.count(); n != 8 {
		t.Errorf("the table was asked %d times, want 8", n)
	}
}

// TestInstancesDoNotShareAnswers: instances of one table have different flags, and may answer differently.
func TestInstancesDoNotShareAnswers(t *testing.T) {
	w := newWorld(t, "back:x")
	one, two := w.open("back:x"), w.open("back:x")
	want(t, one, "a", "a/1")
	want(t, two, "a", "a/2")
	want(t, one, "a", "a/1")
	want(t, two, "a", "a/2")
}

func TestOtherTablesAreNotCached(t *testing.T) {
	w := newWorld(t, "back:x")
	h := w.open("back:y")
	want(t, h, "a", "a/1")
	want(t, h, "a", "a/2")
	writable, err := w.env.Open("back:x", maptypes.ReadWrite, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writable.Close()
	want(t, writable, "a", "a/3")
	want(t, writable, "a", "a/4")
}

func TestLeastRecentlyUsedAnswersMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x max_bytes=50K")
		h, other := w.open("back:x"), w.open("back:x")
		w.back.then(func(n int, r *maptypes.Request) (string, error) {
			return strings.Repeat("v", 4000) + fmt.Sprint(n), nil
		})
		for i := range 8 {
			get(h, fmt.Sprint(i))
		}
		get(h, "0") // has been used
		for i := range 4 {
			get(other, fmt.Sprint(i)) // room is shared by all instances
		}
		asked := w.back.count()
		for _, key := range []string{"0", "4", "5", "6", "7"} {
			get(h, key)
		}
		if w.back.count() != asked {
			t.Errorf("an answer was lost that had been used lately: %v", w.set.Stats("back:x"))
		}
		for _, key := range []string{"1", "2"} {
			get(h, key)
		}
		if n := w.back.count() - asked; n != 2 {
			t.Errorf("the cache keeps more than it may: %v", w.set.Stats("back:x"))
		}
		if s := w.set.Stats("back:x"); s.Evicted == 0 {
			t.Errorf("counted: %v", s)
		}
		// One that never fits makes nobody leave.
		evicted := w.set.Stats("back:x").Evicted
		w.back.then(func(int, *maptypes.Request) (string, error) { return strings.Repeat("v", 60000), nil })
		if got := get(h, "huge"); len(got) != 60000 {
			t.Errorf("got %d bytes", len(got))
		}
		if n := w.set.Stats("back:x").Evicted; n != evicted {
			t.Errorf("%d answers left for one that does not fit", n-evicted)
		}
		// A closed instance leaves its room.
		other.Close()
		w.back.then(func(n int, r *maptypes.Request) (string, error) { return strings.Repeat("v", 4000), nil })
		for i := range 11 {
			get(h, fmt.Sprint(i))
		}
		if n := w.set.Stats("back:x").Evicted; n != evicted {
			t.Errorf("the answers of a closed table take room: %d evicted", n-evicted)
		}
	})
}

// TestMemoryIsWithinItsLimit measures the heap with many small answers, for which what an answer costs besides its key and
// value counts most.
func TestMemoryIsWithinItsLimit(t *testing.T) {
	const limit = 8 << 20
	w := newWorld(t, "back:x max_bytes=8M")
	h := w.open("back:x")
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 60000 {
		get(h, fmt.Sprint("user", i, "@example.com"))
	}
	grown := heap() - before
	if n := w.set.Stats("back:x").Evicted; n == 0 {
		t.Fatal("the limit was not reached")
	}
	if grown > limit*11/10 {
		t.Errorf("the heap has grown by %d bytes, the limit is %d", grown, limit)
	}
	t.Logf("heap +%d of %d bytes", grown, limit)
	want(t, h, "user59999@example.com", "user59999@example.com/60000")
}

func BenchmarkHit(b *testing.B) {
	entries, err := cache.Parse("back:x ttl=1h")
	if err != nil {
		b.Fatal(err)
	}
	back := &backend{answer: numbered, opened: 1}
	env := &maptypes.Env{Cache: cache.NewSet(entries).Wrap, Daemon: true, Registry: maptypes.NewRegistry(maptypes.Driver{
		Type: "back",
		Open: func(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			return &maptypes.Opened{Table: back, Flags: flags | maptypes.FlagFixed, Fold: maptypes.FlagFoldFix}, nil
		},
	})}
	h, err := env.Open("back:x", maptypes.ReadOnly, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	b.Run("value", func(b *testing.B) { benchmark(b, h, "user@example.com") })
	b.Run("not-found", func(b *testing.B) { benchmark(b, h, "none@example.com") })
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			r := &maptypes.Request{Flags: h.Flags(), Key: []byte("user@example.com")}
			for pb.Next() {
				h.Lookup(context.Background(), r)
			}
		})
	})
	if n := back.count(); n > 10 {
		b.Errorf("the table was asked %d times", n)
	}
}

func benchmark(b *testing.B, h *maptypes.Handle, key string) {
	r := &maptypes.Request{Flags: h.Flags(), Key: []byte(key)}
	ctx := context.Background()
	h.Lookup(ctx, r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Lookup(ctx, r); err != nil && err != maptypes.ErrNotFound {
			b.Fatal(err)
		}
	}
}

// TestHitAllocatesNothing: the service answers from the cache at the pace of a table in memory.
func TestHitAllocatesNothing(t *testing.T) {
	w := newWorld(t, "back:x negative_ttl=1h ttl=1h")
	h := w.open("back:x")
	for _, key := range []string{"a long key that does not fit into a small buffer on the stack@example.com", "none"} {
		r := &maptypes.Request{Flags: h.Flags(), Key: []byte(key)}
		h.Lookup(context.Background(), r)
		if n := testing.AllocsPerRun(100, func() { h.Lookup(context.Background(), r) }); n != 0 {
			t.Errorf("%s: %v allocations", key, n)
		}
	}
}
