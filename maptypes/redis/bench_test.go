package redis_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/redis"
)

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is where the tables of a test are.
type bench struct {
	t   testing.TB
	dir string
	env *maptypes.Env

	mu  sync.Mutex
	log []string
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(redis.Driver, inline.Driver, fail.Driver),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    b.logf, Warnf: b.logf, Errorf: b.logf,
	}
	return b
}

func (b *bench) logf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

// takeLog returns the lines that were logged since the last time.
func (b *bench) takeLog() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

// table writes the settings of a table.
func (b *bench) table(name, settings string) (spec string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name+".cf")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return "redis:" + path
}

func (b *bench) open(name, settings string, mode maptypes.Mode) *maptypes.Handle {
	b.t.Helper()
	h, err := b.env.Registry.Open(b.env, b.table(name, settings), mode, flags)
	if err != nil {
		b.t.Fatalf("open %s: %v", name, err)
	}
	b.t.Cleanup(func() { h.Close() })
	return h
}

// get looks a key up and returns the value, or "-" when it is not found.
func get(h *maptypes.Handle, key string) (string, error) {
	r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
	value, err := h.Lookup(context.Background(), r)
	if err == maptypes.ErrNotFound {
		return "-", nil
	}
	return string(value), err
}

// put stores an entry; more are flags.
func put(h *maptypes.Handle, key, value string, more maptypes.Flags) error {
	r := &maptypes.Request{Key: []byte(key), Value: []byte(value), Flags: h.Flags()&^maptypes.FlagDupWarn | more}
	return h.Update(context.Background(), r)
}

func del(h *maptypes.Handle, key string) error {
	return h.Delete(context.Background(), &maptypes.Request{Key: []byte(key), Flags: h.Flags()})
}

// list returns the entries of a table as a sequence shows them. between is called
// after each; it may be nil.
func list(h *maptypes.Handle, between func(n int)) (keys []string, values map[string]string, err error) {
	values = map[string]string{}
	var c maptypes.Cursor
	for {
		r := &maptypes.Request{Flags: h.Flags()}
		key, value, err := h.Sequence(context.Background(), r, &c)
		if err == maptypes.ErrNotFound {
			return keys, values, nil
		}
		if err != nil {
			return keys, values, err
		}
		keys = append(keys, string(key))
		values[string(key)] = string(value)
		if between != nil {
			between(len(keys))
		}
	}
}

// want checks one lookup.
func (b *bench) want(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	if got, err := get(h, key); got != value || err != nil {
		b.t.Errorf("%s: lookup of %q: %q %v, want %q", h.Spec(), key, got, err, value)
	}
}

// wantRetry checks that a lookup says that it could not ask.
func (b *bench) wantRetry(h *maptypes.Handle, key string) error {
	b.t.Helper()
	got, err := get(h, key)
	if maptypes.Class(err) != maptypes.ErrRetry {
		b.t.Errorf("%s: lookup of %q: %q %v, want a retry", h.Spec(), key, got, err)
	}
	return err
}

// eventually repeats a lookup that may say "retry" until it has the answer.
func (b *bench) eventually(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, err := get(h, key)
		if err == nil && got == value {
			return
		}
		if err == nil || maptypes.Class(err) != maptypes.ErrRetry {
			b.t.Fatalf("lookup of %q: %q %v, want %q", key, got, err, value)
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("lookup of %q: still %v", key, err)
		}
	}
}

// eventuallyPut repeats an update that may say "retry" until it is acknowledged.
func (b *bench) eventuallyPut(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(20 * time.Millisecond) {
		err := put(h, key, value, maptypes.FlagDupReplace)
		if err == nil {
			return
		}
		if maptypes.Class(err) != maptypes.ErrRetry || time.Now().After(deadline) {
			b.t.Fatalf("update of %q: %v", key, err)
		}
	}
}
