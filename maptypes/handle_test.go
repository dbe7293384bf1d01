package maptypes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// fileDriver opens a file whose first line is the answer to every key. A file
// that begins with "bad" cannot be opened.
var fileDriver = maptypes.Driver{
	Type: "file",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(string(text), "bad") {
			return &maptypes.Opened{Watch: []string{name}}, fmt.Errorf("open %s: it is bad", name)
		}
		return &maptypes.Opened{
			Table: &fileTable{text: string(text)},
			Flags: flags | maptypes.FlagFixed,
			Fold:  maptypes.FlagFoldFix,
			Watch: []string{name},
		}, nil
	},
}

// fileTable answers with its text and the key that it was asked for.
type fileTable struct {
	text   string
	mu     sync.Mutex
	closed bool
}

func (t *fileTable) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("lookup in a closed table")
	}
	switch string(r.Key) {
	case "missing":
		return nil, maptypes.ErrNotFound
	case "panic":
		panic("driver fault")
	}
	r.Buf = append(append(append(r.Buf[:0], t.text...), '/'), r.Key...)
	return r.Buf, nil
}

func (t *fileTable) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return nil
}

// journal keeps what a driver's environment was told.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) count(part string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func newEnv(daemon, utf8 bool, drivers ...maptypes.Driver) (*maptypes.Env, *journal) {
	j := &journal{}
	return &maptypes.Env{
		Registry: maptypes.NewRegistry(drivers...),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    j.add, Warnf: j.add, Errorf: j.add,
		Daemon: daemon, UTF8: utf8,
	}, j
}

func mustOpen(t *testing.T, env *maptypes.Env, spec string, flags maptypes.Flags) *maptypes.Handle {
	t.Helper()
	h, err := env.Open(spec, maptypes.ReadOnly, flags)
	if err != nil {
		t.Fatalf("open %s: %v", spec, err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func lookup(h *maptypes.Handle, key string) (string, error) {
	r := &maptypes.Request{Flags: h.Flags(), Key: []byte(key)}
	value, err := h.Lookup(context.Background(), r)
	if string(r.Key) != key {
		return "", fmt.Errorf("the request's key was changed to %q", r.Key)
	}
	return string(value), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventually looks a key up until the answer is want: a change may be read in
// the background.
func eventually(t *testing.T, h *maptypes.Handle, key, want string) {
	t.Helper()
	var got string
	var err error
	for range 1000 {
		if got, err = lookup(h, key); got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("lookup %q: got %q, %v; want %q", key, got, err, want)
}

func TestFolding(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "v")
	tests := []struct {
		name  string
		utf8  bool
		flags maptypes.Flags
		key   string
		want  string // the key that reaches the driver
	}{
		{"no flag keeps case", false, 0, "ABC", "ABC"},
		{"FOLD_FIX folds ASCII", false, maptypes.FlagFoldFix, "ABCÄ", "abcÄ"},
		{"FOLD_MUL is for patterns", false, maptypes.FlagFoldMul, "ABC", "ABC"},
		{"UTF-8 folds all letters", true, maptypes.FlagFoldFix | maptypes.FlagUTF8Request, "ABCÄß", "abcäss"},
		{"UTF-8 without folding", true, maptypes.FlagUTF8Request, "ABCÄ", "ABCÄ"},
		{"UTF-8 not enabled", false, maptypes.FlagFoldFix | maptypes.FlagUTF8Request, "ABCÄ", "abcÄ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env, _ := newEnv(false, tt.utf8, fileDriver)
			h := mustOpen(t, env, "file:"+path, tt.flags)
			got, err := lookup(h, tt.key)
			if want := "v/" + tt.want; got != want || err != nil {
				t.Errorf("lookup %q: got %q, %v; want %q", tt.key, got, err, want)
			}
			if active := h.Flags()&maptypes.FlagUTF8Active != 0; active != (tt.utf8 && tt.flags&maptypes.FlagUTF8Request != 0) {
				t.Errorf("flags %v: UTF-8 layer active: %v", h.Flags(), active)
			}
		})
	}
}

func TestInvalidUTF8(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "v\xff")
	env, log := newEnv(false, true, fileDriver)
	h := mustOpen(t, env, "file:"+path, maptypes.FlagUTF8Request)
	if _, err := lookup(h, "k\xff"); err != maptypes.ErrNotFound {
		t.Errorf("invalid key: got %v, want not found", err)
	}
	if log.count("non-UTF-8 key") != 1 {
		t.Errorf("log: %q", log.lines)
	}
	if _, err := lookup(h, "k"); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("invalid value: got %v, want a configuration error", err)
	}
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "one")
	env, log := newEnv(true, false, fileDriver)
	h := mustOpen(t, env, "file:"+path, 0)
	eventually(t, h, "k", "one/k")
	write(t, path, "second")
	eventually(t, h, "k", "second/k")

	write(t, path, "bad file")
	for range 20 {
		if got, err := lookup(h, "k"); got != "second/k" {
			t.Fatalf("with a broken file: got %q, %v; want the old answer", got, err)
		}
	}
	if n := log.count("keeping the old one"); n != 1 {
		t.Errorf("the broken file was logged %d times: %q", n, log.lines)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, err := lookup(h, "k"); got != "second/k" {
		t.Errorf("with the file removed: got %q, %v; want the old answer", got, err)
	}
	write(t, path, "third")
	eventually(t, h, "k", "third/k")
}

func TestReloadUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "v0")
	env, _ := newEnv(true, false, fileDriver)
	h := mustOpen(t, env, "file:"+path, 0)
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got, err := lookup(h, "k"); err != nil || !strings.HasSuffix(got, "/k") {
					t.Errorf("during reload: got %q, %v", got, err)
					return
				}
			}
		})
	}
	next := path + ".new"
	for i := range 50 {
		write(t, next, fmt.Sprintf("v%d", i))
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
		eventually(t, h, "k", fmt.Sprintf("v%d/k", i))
	}
	close(done)
	clients.Wait()
}

func TestTableThatCannotBeOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	env, log := newEnv(true, false, fileDriver)
	h := mustOpen(t, env, "file:"+path, maptypes.FlagFoldFix)
	if want := maptypes.FlagFoldFix | maptypes.FlagPattern | maptypes.FlagSurrogate; h.Flags() != want {
		t.Errorf("flags: got %v, want %v", h.Flags(), want)
	}
	for range 2 {
		_, err := lookup(h, "k")
		if maptypes.Class(err) != maptypes.ErrRetry || !strings.Contains(err.Error(), "is unavailable. ") {
			t.Errorf("lookup: got %v, want a temporary error", err)
		}
	}
	if log.count("no such file") != 1 {
		t.Errorf("the reason was not logged once: %q", log.lines)
	}
	// Flags that a client was told while the table was away still fold.
	write(t, path, "v")
	flags := h.Flags()
	var got []byte
	var err error
	for range 1000 {
		r := &maptypes.Request{Flags: flags, Key: []byte("KEY")}
		if got, err = h.Lookup(context.Background(), r); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if string(got) != "v/key" {
		t.Errorf("after the file appeared: got %q, %v", got, err)
	}

	env, _ = newEnv(false, false, fileDriver)
	if _, err := env.Open("file:/nonexistent", maptypes.ReadOnly, 0); err == nil {
		t.Error("a command opened a missing file")
	}
	if _, err := env.Open("nosuch:x", maptypes.ReadOnly, 0); err == nil || err.Error() != "unsupported dictionary type: nosuch" {
		t.Errorf("unknown type: %v", err)
	}
}

func TestBrokenFileIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "bad")
	opens := 0
	counting := fileDriver
	counting.Open = func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		opens++
		return fileDriver.Open(env, name, mode, flags)
	}
	env, _ := newEnv(true, false, counting)
	h := mustOpen(t, env, "file:"+path, 0)
	time.Sleep(100 * time.Millisecond) // past the time in which a change may not show
	for range 100 {
		if _, err := lookup(h, "k"); maptypes.Class(err) != maptypes.ErrRetry {
			t.Fatalf("got %v, want a temporary error", err)
		}
	}
	if opens > 2 {
		t.Errorf("a file that did not change was read %d times", opens)
	}
	write(t, path, "good")
	if got, err := lookup(h, "k"); got != "good/k" {
		t.Errorf("after the change: got %q, %v", got, err)
	}
}

func TestPanicCostsOneRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "v")
	env, log := newEnv(true, false, fileDriver)
	h := mustOpen(t, env, "file:"+path, 0)
	if _, err := lookup(h, "panic"); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("got %v, want a configuration error", err)
	}
	if log.count("driver fault") == 0 || log.count("stack") == 0 {
		t.Errorf("the panic was not logged: %q", log.lines)
	}
	if got, err := lookup(h, "k"); got != "v/k" || err != nil {
		t.Errorf("after a panic: got %q, %v", got, err)
	}
}

func TestUnsupportedOperations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write(t, path, "v")
	env, _ := newEnv(true, false, fileDriver)
	h := mustOpen(t, env, "file:"+path, 0)
	ctx, r := context.Background(), &maptypes.Request{Key: []byte("k")}
	_, _, seqErr := h.Sequence(ctx, r, &maptypes.Cursor{})
	for op, err := range map[string]error{"update": h.Update(ctx, r), "delete": h.Delete(ctx, r), "sequence": seqErr} {
		want := fmt.Sprintf("table file:%s: %s operation is not supported", path, op)
		if err == nil || err.Error() != want || maptypes.Class(err) != maptypes.ErrConfig {
			t.Errorf("%s: got %v, want %s", op, err, want)
		}
	}
}

func TestClass(t *testing.T) {
	cause := maptypes.Configf("the cause")
	tests := []struct {
		err    error
		class  error
		reason string
	}{
		{nil, nil, ""},
		{maptypes.ErrNotFound, maptypes.ErrNotFound, ""},
		{maptypes.ErrRetry, maptypes.ErrRetry, ""},
		{maptypes.ErrConfig, maptypes.ErrConfig, ""},
		{cause, maptypes.ErrConfig, "the cause"},
		{maptypes.Retryf("outer: %w", cause), maptypes.ErrRetry, "outer: the cause"},
		{fmt.Errorf("plain"), maptypes.ErrRetry, "plain"},
		{fmt.Errorf("x: %w", maptypes.ErrConfig), maptypes.ErrConfig, "x: configuration error"},
	}
	for _, tt := range tests {
		if got := maptypes.Class(tt.err); got != tt.class {
			t.Errorf("Class(%v) = %v, want %v", tt.err, got, tt.class)
		}
		if got := maptypes.Reason(tt.err); got != tt.reason {
			t.Errorf("Reason(%v) = %q, want %q", tt.err, got, tt.reason)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Minute, "5s": 5 * time.Second, "0": 0, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "1w": 168 * time.Hour, "3m": 3 * time.Minute,
	} {
		if got, err := maptypes.ParseTime(text, 'm'); got != want || err != nil {
			t.Errorf("ParseTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "-1s", "1y", "1 2", "99999999999999w"} {
		if got, err := maptypes.ParseTime(text, 's'); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", text, got)
		}
	}
}
