package indexed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bolt"
	"github.com/proxymapd/proxymapd/maptypes/cdb"
	"github.com/proxymapd/proxymapd/maptypes/lmdb"
)

var registry = maptypes.NewRegistry(cdb.Driver, lmdb.Driver, bolt.Driver)

// world is a directory with tables, and what drivers log.
type world struct {
	t   testing.TB
	dir string
	env *maptypes.Env

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
	w := &world{t: t, dir: dir}
	w.env = &maptypes.Env{
		Registry: registry,
		Param:    func(string) (string, bool) { return "", false },
		Infof:    w.logf("info: "),
		Warnf:    w.logf("warning: "),
		Errorf:   w.logf("error: "),
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
	text := strings.Join(w.log, "\n")
	w.log = nil
	return text
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// open opens the table name in the directory.
func (w *world) open(typ, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Handle, error) {
	return registry.Open(w.env, typ+":"+w.path(name), mode, flags)
}

func (w *world) mustOpen(typ, name string, mode maptypes.Mode, flags maptypes.Flags) *maptypes.Handle {
	w.t.Helper()
	h, err := w.open(typ, name, mode, flags)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { h.Close() })
	return h
}

// build makes the table name anew, from keys and values in turns.
func (w *world) build(typ, name string, flags maptypes.Flags, pairs ...string) error {
	b, err := registry.Create(w.env, typ+":"+w.path(name), flags)
	if err != nil {
		return err
	}
	defer b.Abort()
	r := &maptypes.Request{}
	for i := 0; i < len(pairs); i += 2 {
		r.Key, r.Value, r.Flags = []byte(pairs[i]), []byte(pairs[i+1]), flags
		if err := b.Add(context.Background(), r); err != nil {
			return err
		}
	}
	return b.Commit()
}

func (w *world) mustBuild(typ, name string, flags maptypes.Flags, pairs ...string) {
	w.t.Helper()
	if err := w.build(typ, name, flags, pairs...); err != nil {
		w.t.Fatal(err)
	}
}

// get returns the value of a key, "<not found>", or the error.
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

// postmap runs Postfix's program on the table name.
func (w *world) postmap(stdin string, args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	cmd := exec.Command("postmap", args...)
	cmd.Env = testenv.PostfixEnv(w.t)
	cmd.Stdin = strings.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return out.String(), log.String(), cmd.ProcessState.ExitCode()
}

// write creates a file.
func (w *world) write(name, content string) string {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return w.path(name)
}
