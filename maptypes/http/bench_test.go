package http_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/http"
	"github.com/proxymapd/proxymapd/maptypes/inline"
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
		Registry: maptypes.NewRegistry(http.Driver, inline.Driver, fail.Driver),
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

func (b *bench) write(name, text string) (path string) {
	b.t.Helper()
	path = filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bench) open(settings string) *maptypes.Handle {
	b.t.Helper()
	h, err := b.env.Registry.Open(b.env, "http:"+b.write("t.cf", settings), maptypes.ReadOnly, flags)
	if err != nil {
		b.t.Fatalf("open %s: %v", settings, err)
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

// want checks one lookup.
func (b *bench) want(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	if got, err := get(h, key); got != value || err != nil {
		b.t.Errorf("lookup of %q: %q %v, want %q", key, got, err, value)
	}
}

// wantError checks that a lookup fails in the way that is said.
func (b *bench) wantError(h *maptypes.Handle, key string, class error, text string) {
	b.t.Helper()
	got, err := get(h, key)
	if maptypes.Class(err) != class || !strings.Contains(err.Error(), text) {
		b.t.Errorf("lookup of %q: %q %v, want %v with %q", key, got, err, class, text)
	}
}

// eventually repeats a lookup that may say "retry" until it has the answer.
func (b *bench) eventually(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := get(h, key)
		if err == nil && got == value {
			return
		}
		if maptypes.Class(err) != maptypes.ErrRetry || time.Now().After(deadline) {
			b.t.Fatalf("lookup of %q: %q %v, want %q", key, got, err, value)
		}
	}
}
