package bdbmap_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bolt"
	"github.com/proxymapd/proxymapd/maptypes/btree"
	"github.com/proxymapd/proxymapd/maptypes/cdb"
	"github.com/proxymapd/proxymapd/maptypes/hash"
	"github.com/proxymapd/proxymapd/maptypes/static"
)

var registry = maptypes.NewRegistry(hash.Driver, btree.Driver, bolt.Driver, cdb.Driver, static.Driver)

var types = []string{"hash", "btree"}

// world is a directory with tables, main.cf parameters, and what drivers log.
type world struct {
	t      testing.TB
	dir    string
	env    *maptypes.Env
	params map[string]string

	mu  sync.Mutex
	log []string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, params: map[string]string{}}
	w.env = &maptypes.Env{
		Registry: registry,
		Param: func(name string) (string, bool) {
			value, ok := w.params[name]
			return value, ok
		},
		Infof:  w.logf("info: "),
		Warnf:  w.logf("warning: "),
		Errorf: w.logf("error: "),
	}
	return w
}

func (w *world) logf(level string) func(string, ...any) {
	return func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, level+fmt.Sprintf(format, args...))
	}
}

// logged returns and forgets what was logged.
func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.ReplaceAll(strings.Join(w.log, "\n"), w.dir, "DIR")
	w.log = nil
	return text
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, content string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}

const postmapFlags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagLock

func (w *world) open(typ, name string, mode maptypes.Mode) (*maptypes.Handle, error) {
	return registry.Open(w.env, typ+":"+w.path(name), mode, postmapFlags)
}

func (w *world) mustOpen(typ, name string, mode maptypes.Mode) *maptypes.Handle {
	w.t.Helper()
	h, err := w.open(typ, name, mode)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { h.Close() })
	return h
}

// get returns the value of a key, "<not found>", or the class of the error and
// the error.
func get(h *maptypes.Handle, key string) string {
	r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
	value, err := h.Lookup(context.Background(), r)
	switch {
	case err == maptypes.ErrNotFound:
		return "<not found>"
	case err != nil:
		return "<" + maptypes.Class(err).Error() + ": " + err.Error() + ">"
	}
	return string(value)
}

func put(h *maptypes.Handle, key, value string) error {
	r := &maptypes.Request{Key: []byte(key), Value: []byte(value)}
	r.Flags = h.Flags() | maptypes.FlagDupReplace | maptypes.FlagSyncUpdate
	return h.Update(context.Background(), r)
}

func del(h *maptypes.Handle, key string) error {
	r := &maptypes.Request{Key: []byte(key), Flags: h.Flags() | maptypes.FlagSyncUpdate}
	return h.Delete(context.Background(), r)
}

// list returns all entries as `postmap -s` prints them.
func list(t testing.TB, h *maptypes.Handle) string {
	t.Helper()
	var out strings.Builder
	var c maptypes.Cursor
	r := &maptypes.Request{Flags: h.Flags()}
	for {
		key, value, err := h.Sequence(context.Background(), r, &c)
		if err == maptypes.ErrNotFound {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\t%s\n", key, value)
	}
}

// postmap runs Postfix's program, which must succeed without a word.
func (w *world) postmap(stdin string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("postmap", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil || log.Len() > 0 {
		w.t.Fatalf("postmap %q: %v: %s", args, err, log.String())
	}
	return string(out)
}
