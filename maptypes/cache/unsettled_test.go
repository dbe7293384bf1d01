package cache_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cache"
)

// watchedDriver is the backend of a world with a file of its own.
func watchedDriver(w **world) maptypes.Driver {
	return maptypes.Driver{
		Type: "watched",
		Open: func(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			(*w).back.opened++
			return &maptypes.Opened{Table: (*w).back, Flags: flags, Watch: []string{name}, WatchReplaced: true}, nil
		},
	}
}

// TestNothingIsKeptWhenAChangeCouldGoUnseen: a file that has just changed may change again without a sign. In the time of
// this test, which is long past, every file has been changed in the future.
func TestNothingIsKeptWhenAChangeCouldGoUnseen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	rewrite(t, path, 0)
	synctest.Test(t, func(t *testing.T) {
		for _, spec := range []string{"watched:" + path, "outer:watched:" + path} {
			var w *world
			w = newWorld(t, spec+" ttl=1h stale_on_error=1h", watchedDriver(&w), outerDriver)
			h := w.open(spec)
			want(t, h, "k", "k/1")
			want(t, h, "k", "k/2")
			w.back.slow(time.Second)
			var clients sync.WaitGroup
			for range 5 { // nobody gets what another has asked for earlier
				clients.Go(func() { get(h, "k") })
			}
			clients.Wait()
			w.back.then(fails(maptypes.ErrRetry))
			want(t, h, "k", retry)
			if s := w.set.Stats(spec); s != (cache.Stats{Misses: 8}) || w.back.count() != 8 {
				t.Errorf("%s: asked %d times, %v", spec, w.back.count(), s)
			}
		}
	})
}

// TestLookupAfterAChangeDoesNotWaitForOneFromBefore: what was asked before the change may be what was there before it.
func TestLookupAfterAChangeDoesNotWaitForOneFromBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	rewrite(t, path, 0)
	settle()
	var w *world
	spec := "watched:" + path
	w = newWorld(t, spec+" ttl=1h", watchedDriver(&w))
	h := w.open(spec)
	asked, gate := make(chan struct{}), make(chan struct{})
	w.back.then(func(n int, r *maptypes.Request) (string, error) {
		if n == 1 {
			close(asked)
			<-gate
		}
		return numbered(n, r)
	})
	var first sync.WaitGroup
	first.Go(func() { want(t, h, "k", "k/1") })
	<-asked
	rewrite(t, path, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	value, err := h.Lookup(ctx, &maptypes.Request{Flags: h.Flags(), Key: []byte("k")})
	if err != nil || string(value) != "k/2" {
		t.Errorf("got %q, %v", value, err)
	}
	close(gate)
	first.Wait()
	want(t, h, "k", "k/3")
}

// maskDriver is a table that answers for itself when the one nested in it cannot.
var maskDriver = maptypes.Driver{
	Type: "mask",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		h, err := env.Open(name, mode, flags)
		if err != nil {
			return nil, err
		}
		return &maptypes.Opened{Table: maskTable{h}, Flags: flags}, nil
	},
}

type maskTable struct{ *maptypes.Handle }

func (t maskTable) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	if value, err := t.Handle.Lookup(ctx, r); err == nil {
		return value, nil
	}
	return []byte("masked"), nil
}

// TestNothingIsKeptWithoutAMember: not even what sounds like an answer.
func TestNothingIsKeptWithoutAMember(t *testing.T) {
	spec := "mask:whole:" + filepath.Join(t.TempDir(), "file")
	w := newWorld(t, spec+" ttl=1h", wholeDriver, maskDriver)
	h := w.open(spec)
	for range 3 {
		want(t, h, "k", "masked")
	}
	if s := w.set.Stats(spec); s.Hits != 0 {
		t.Errorf("answered from the cache: %v", s)
	}
}
