package streamtest

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
	"time"

	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// Bench looks keys up in tables, with our drivers and with Postfix's postmap(1).
type Bench struct {
	Dir string // holds main.cf and what the test puts there
	Env *maptypes.Env

	t      testing.TB
	params map[string]string
	mu     sync.Mutex
	log    []string
}

// Flags are the flags that postmap(1) opens tables with.
const Flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// New returns a bench with the given drivers and a main.cf that turns UTF-8 mode off, in which versions of Postfix
// differ.
func New(t testing.TB, drivers ...maptypes.Driver) *Bench {
	t.Helper()
	b := &Bench{Dir: TempDir(t), t: t, params: map[string]string{}}
	b.Env = &maptypes.Env{
		Registry: maptypes.NewRegistry(drivers...),
		Param: func(name string) (string, bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			value, ok := b.params[name]
			return value, ok
		},
		Infof:  b.logf(""),
		Warnf:  b.logf("warning: "),
		Errorf: b.logf("error: "),
	}
	b.SetMain("compatibility_level", "3.6")
	b.SetMain("smtputf8_enable", "no")
	return b
}

func (b *Bench) logf(class string) func(string, ...any) {
	return func(format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.log = append(b.log, class+maillog.Printable(fmt.Sprintf(format, args...)))
	}
}

// SetMain sets a parameter of main.cf.
func (b *Bench) SetMain(name, value string) {
	b.t.Helper()
	b.mu.Lock()
	b.params[name] = value
	var text strings.Builder
	for name, value := range b.params {
		fmt.Fprintf(&text, "%s = %s\n", name, value)
	}
	b.mu.Unlock()
	b.Write("main.cf", text.String())
}

// Write writes a file that is old enough for Postfix to read it at once, and returns its path.
func (b *Bench) Write(name, content string) string {
	b.t.Helper()
	path := filepath.Join(b.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
	old := time.Now().Add(-100 * time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// Open opens a table that is closed at the end of the test.
func (b *Bench) Open(spec string, mode maptypes.Mode) *maptypes.Handle {
	b.t.Helper()
	h, err := b.Env.Registry.Open(b.Env, spec, mode, Flags)
	if err != nil {
		b.t.Fatalf("open %s: %v", spec, err)
	}
	b.t.Cleanup(func() { h.Close() })
	return h
}

// Get looks a key up in an open table.
func Get(ctx context.Context, h *maptypes.Handle, key string) (string, error) {
	value, err := h.Lookup(ctx, &maptypes.Request{Key: []byte(key), Flags: h.Flags()})
	return string(value), err
}

// TakeLog returns what was logged since the last call.
func (b *Bench) TakeLog() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := b.log
	b.log = nil
	return log
}

// The answers that are not values.
const (
	NotFound = "<not found>"
	Failed   = "<error>"
)

// Ours looks a key up with our driver. It returns the value in brackets, NotFound or Failed, and the log.
func (b *Bench) Ours(spec, key string) (answer string, log []string) {
	b.t.Helper()
	b.TakeLog()
	h, err := b.Env.Registry.Open(b.Env, spec, maptypes.ReadOnly, Flags)
	if err != nil {
		return Failed, append(b.TakeLog(), "fatal: "+err.Error())
	}
	defer h.Close()
	value, err := Get(context.Background(), h, key)
	log = b.TakeLog()
	switch maptypes.Class(err) {
	case nil:
		return "[" + value + "]", log
	case maptypes.ErrNotFound:
		return NotFound, log
	}
	if reason := maptypes.Reason(err); reason != "" {
		log = append(log, "warning: "+maillog.Printable(reason))
	}
	return Failed, log
}

// Postfix looks a key up with postmap(1), and returns what Ours does.
func (b *Bench) Postfix(spec, key string) (answer string, log []string) {
	b.t.Helper()
	stdout, all, status := b.Postmap("", "-q", key, spec)
	failed := false
	for _, line := range all {
		switch {
		case strings.HasPrefix(line, "fatal: table "+spec+": query error"):
			failed = true
		case strings.HasPrefix(line, "fatal: "):
			failed = true
			log = append(log, line)
		case !isOpinion(line):
			log = append(log, line)
		}
	}
	switch {
	case failed:
		return Failed, log
	case status == 0:
		return "[" + strings.TrimSuffix(stdout, "\n") + "]", log
	}
	return NotFound, log
}

// OursMany looks keys up until one fails. It returns what `postmap -q -` prints, and the log.
func (b *Bench) OursMany(spec string, keys []string) (output string, log []string) {
	b.t.Helper()
	b.TakeLog()
	h := b.Open(spec, maptypes.ReadOnly)
	for _, key := range keys {
		value, err := Get(context.Background(), h, key)
		switch maptypes.Class(err) {
		case nil:
			output += key + "\t" + value + "\n"
		case maptypes.ErrNotFound:
		default:
			log = b.TakeLog()
			if reason := maptypes.Reason(err); reason != "" {
				log = append(log, "warning: "+maillog.Printable(reason))
			}
			return output + Failed, log
		}
	}
	return output, b.TakeLog()
}

// PostfixMany looks keys up with postmap(1), and returns what OursMany does.
func (b *Bench) PostfixMany(spec string, keys []string) (output string, log []string) {
	b.t.Helper()
	output, all, _ := b.Postmap(strings.Join(keys, "\n")+"\n", "-q", "-", spec)
	for _, line := range all {
		switch {
		case strings.HasPrefix(line, "fatal: table "+spec+": query error"):
			output += Failed
		case !isOpinion(line):
			log = append(log, line)
		}
	}
	return output, log
}

// isOpinion reports whether a log line is what postmap thinks of an empty value, and not the table's.
func isOpinion(line string) bool {
	return strings.HasSuffix(line, "empty string result is not allowed") || strings.HasSuffix(line, "should return NO RESULT in case of NOT FOUND")
}

// Postmap runs postmap(1) and returns its output, its log lines, and its exit status.
func (b *Bench) Postmap(stdin string, args ...string) (stdout string, log []string, status int) {
	b.t.Helper()
	testenv.Require(b.t, testenv.Postfix)
	cmd := exec.Command("postmap", append([]string{"-c", b.Dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(stderr.String()) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "postmap: ")
		log = append(log, line)
	}
	return out.String(), log, cmd.ProcessState.ExitCode()
}
