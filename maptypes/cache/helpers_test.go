package cache_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cache"
)

// backend is a table whose answers a test decides.
type backend struct {
	mu     sync.Mutex
	asked  int           // how often
	active int           // lookups in progress
	most   int           // most of them at once
	takes  time.Duration // of a lookup
	opened int           // instances
	closed int
	answer func(n int, r *maptypes.Request) (string, error) // n counts from 1
}

func (b *backend) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	b.mu.Lock()
	b.asked++
	b.active++
	b.most = max(b.most, b.active)
	n, takes, answer := b.asked, b.takes, b.answer
	closed := b.closed == b.opened
	b.mu.Unlock()
	if closed {
		panic("lookup in a closed table")
	}
	defer func() {
		b.mu.Lock()
		b.active--
		b.mu.Unlock()
	}()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, maptypes.Retryf("gave up: %w", ctx.Err())
		}
	}
	value, err := answer(n, r)
	if err != nil {
		return nil, err
	}
	r.Buf = append(r.Buf[:0], value...)
	return r.Buf, nil
}

func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.active > 0 {
		panic("closed under a lookup")
	}
	b.closed++
	return nil
}

func (b *backend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// atOnce returns the most lookups that were in progress together.
func (b *backend) atOnce() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.most
}

// closings returns how often the table was closed.
func (b *backend) closings() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// slow makes lookups take their time.
func (b *backend) slow(takes time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.takes = takes
}

// then changes how the backend answers.
func (b *backend) then(answer func(n int, r *maptypes.Request) (string, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// fails is the answer of a backend that is down.
func fails(err error) func(int, *maptypes.Request) (string, error) {
	return func(int, *maptypes.Request) (string, error) { return "", err }
}

// numbered answers with the number of the lookup.
func numbered(n int, r *maptypes.Request) (string, error) {
	if strings.HasPrefix(string(r.Key), "none") {
		return "", maptypes.ErrNotFound
	}
	return fmt.Sprintf("%s/%d", r.Key, n), nil
}

// world is an environment with a table "back:x", behind a cache.
type world struct {
	t    *testing.T
	env  *maptypes.Env
	set  *cache.Set
	back *backend
	log  *lines
}

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func newWorld(t *testing.T, list string, drivers ...maptypes.Driver) *world {
	t.Helper()
	entries, err := cache.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, set: cache.NewSet(entries), back: &backend{answer: numbered}, log: &lines{}}
	drivers = append(drivers, maptypes.Driver{
		Type: "back",
		Open: func(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			w.back.opened++
			return &maptypes.Opened{Table: w.back, Flags: flags | maptypes.FlagFixed, Fold: maptypes.FlagFoldFix}, nil
		},
	})
	w.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(drivers...),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    w.log.add, Warnf: w.log.add, Errorf: w.log.add,
		Daemon: true,
		Cache:  w.set.Wrap,
	}
	return w
}

func (w *world) open(spec string) *maptypes.Handle {
	w.t.Helper()
	h, err := w.env.Open(spec, maptypes.ReadOnly, maptypes.FlagFoldFix)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { h.Close() })
	return h
}

// get looks a key up; an error is its class.
func get(h *maptypes.Handle, key string) string {
	value, err := h.Lookup(context.Background(), &maptypes.Request{Flags: h.Flags(), Key: []byte(key)})
	if err != nil {
		return maptypes.Class(err).Error()
	}
	return string(value)
}

// want checks an answer.
func want(t *testing.T, h *maptypes.Handle, key, want string) {
	t.Helper()
	if got := get(h, key); got != want {
		t.Errorf("lookup of %s: got %q, want %q", key, got, want)
	}
}
