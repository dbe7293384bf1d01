package cache_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// liveDriver is a file that is read at each lookup, and rewritten in place, as an
// indexed file is.
var liveDriver = maptypes.Driver{
	Type: "live",
	Open: func(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		return &maptypes.Opened{Table: liveTable(name), Flags: flags, Watch: []string{name}, WatchReplaced: true}, nil
	},
}

type liveTable string

func (t liveTable) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	text, err := os.ReadFile(string(t))
	if err != nil {
		return nil, err
	}
	if string(r.Key) == "none" {
		return nil, maptypes.ErrNotFound
	}
	return text, nil
}

func (t liveTable) Close() error { return nil }

// wholeDriver is a file that is read when it is opened.
var wholeDriver = maptypes.Driver{
	Type: "whole",
	Open: func(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		text, err := os.ReadFile(name)
		return &maptypes.Opened{Table: wholeTable(text), Flags: flags, Watch: []string{name}}, err
	},
}

type wholeTable []byte

func (t wholeTable) Lookup(context.Context, *maptypes.Request) ([]byte, error) { return t, nil }
func (t wholeTable) Close() error                                              { return nil }

// outerDriver is another table, as a member of a composite one is.
var outerDriver = maptypes.Driver{
	Type: "outer",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		h, err := env.Open(name, mode, flags)
		if err != nil {
			return nil, err
		}
		return &maptypes.Opened{Table: h, Flags: h.Flags()}, nil
	},
}

// rewrite changes a file in place, without a change of its size.
func rewrite(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%08d", n); err != nil {
		t.Fatal(err)
	}
}

// replace puts a new file in the place of one.
func replace(t *testing.T, path string, n int) {
	t.Helper()
	rewrite(t, path+".new", n)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// settle lets so much time pass that a further change of a file shows.
func settle() { time.Sleep(60 * time.Millisecond) }

// TestChangedFilesAreSeen: once a file has changed, no answer from before is given, also when the file belongs to a table
// that is nested in the one that is cached; and, for a file that is read at each lookup, however soon after another change.
func TestChangedFilesAreSeen(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		change func(*testing.T, string, int)
	}{
		{"live:", rewrite}, {"live:", replace}, {"whole:", replace},
		{"outer:live:", rewrite}, {"outer:live:", replace}, {"outer:whole:", replace},
		{"outer:outer:live:", rewrite}, {"outer:outer:whole:", replace},
	} {
		t.Run(tt.prefix, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			rewrite(t, path, 0)
			spec := tt.prefix + path
			w := newWorld(t, spec+" ttl=1h negative_ttl=1h", liveDriver, wholeDriver, outerDriver)
			h := w.open(spec)
			for i := range 9 {
				whole := strings.Contains(spec, "whole:")
				if whole {
					settle()
					get(h, "k") // reads the file again if it was read too soon after its change
				}
				tt.change(t, path, i)
				if whole {
					// Many requests share one look at the file.
					time.Sleep(2 * time.Millisecond)
				}
				for range 20 {
					want(t, h, "k", fmt.Sprintf("%08d", i))
				}
				if i%4 == 0 {
					settle()
					for range 20 {
						want(t, h, "k", fmt.Sprintf("%08d", i))
					}
				}
			}
			if s := w.set.Stats(spec); s.Hits < 3*19 {
				t.Errorf("nothing was answered from the cache: %v", s)
			}
		})
	}
}

// TestAcknowledgedUpdateIsSeen: a lookup that begins after an update was acknowledged does not get an earlier value, with
// many clients that look up meanwhile.
func TestAcknowledgedUpdateIsSeen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	rewrite(t, path, 0)
	w := newWorld(t, "live:"+path+" ttl=1h", liveDriver)
	h := w.open("live:" + path)
	var acknowledged atomic.Int64
	var clients sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				least := acknowledged.Load()
				got, err := strconv.Atoi(get(h, "k"))
				if err != nil || int64(got) < least {
					t.Errorf("got %d, %v after %d was acknowledged", got, err, least)
					return
				}
			}
		})
	}
	for i := range 60 {
		rewrite(t, path, i)
		acknowledged.Store(int64(i))
		if i%3 == 0 {
			settle()
		}
	}
	close(done)
	clients.Wait()
	if s := w.set.Stats("live:" + path); s.Hits == 0 {
		t.Errorf("nothing was answered from the cache: %v", s)
	}
}

// TestMemberThatCannotBeOpened: nothing is kept that was found out without a member.
func TestMemberThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	spec := "outer:whole:" + path
	w := newWorld(t, spec+" ttl=1h stale_on_error=1h", wholeDriver, outerDriver)
	h := w.open(spec)
	want(t, h, "k", retry)
	rewrite(t, path, 1)
	for range 500 {
		if get(h, "k") != retry {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	want(t, h, "k", "00000001")
	want(t, h, "k", "00000001")
	if s := w.set.Stats(spec); s.Hits == 0 {
		t.Errorf("nothing was answered from the cache: %v", s)
	}
}
