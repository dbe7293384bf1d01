package ldap_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/ldap"
)

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is a directory server and tables of it.
type bench struct {
	t      *testing.T
	server *postfixtest.OpenLDAP
	dir    string
	env    *maptypes.Env

	mu  sync.Mutex
	log []string
}

func newBench(t *testing.T, options ...postfixtest.OpenLDAPOption) *bench {
	t.Helper()
	return newBenchWith(t, content, options...)
}

func newBenchWith(t *testing.T, ldif string, options ...postfixtest.OpenLDAPOption) *bench {
	t.Helper()
	testenv.Require(t, testenv.Postfix, testenv.PostfixLDAP)
	b := newEmptyBench(t)
	b.server = postfixtest.StartOpenLDAP(t, ldif, options...)
	return b
}

// newEmptyBench returns a bench without a server.
func newEmptyBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t}
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b.dir = dir
	b.write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = no\n")
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(ldap.Driver, inline.Driver, fail.Driver),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    b.logf, Warnf: b.logf,
		Errorf: func(format string, args ...any) { b.logf("error: "+format, args...) },
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

// write creates a file that is old enough for Postfix to read it at once.
func (b *bench) write(name, text string) (path string) {
	b.t.Helper()
	path = filepath.Join(b.dir, name)
	old := time.Now().Add(-100 * time.Second)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// table writes the settings of a table: how to reach the server, and more. The
// time limit is one that a slow machine does not reach.
func (b *bench) table(name, settings string) (spec string) {
	b.t.Helper()
	common := fmt.Sprintf("server_host = %s\nversion = 3\nsearch_base = %s\nquery_filter = (mailacceptinggeneralid=%%s)\nlookup_timeout = 60\n", b.server.URL(), b.server.Suffix)
	return b.bare(name, override(common, settings))
}

// override returns the settings of both texts; of a parameter that is in both, the
// second counts.
func override(first, second string) string {
	var text strings.Builder
	for line := range strings.Lines(first) {
		name, _, _ := strings.Cut(line, " ")
		if !strings.Contains("\n"+second, "\n"+name+" =") {
			text.WriteString(line)
		}
	}
	return text.String() + second
}

// bare writes the settings of a table.
func (b *bench) bare(name, settings string) (spec string) {
	b.t.Helper()
	return "ldap:" + b.write(name+".cf", settings+"\n")
}

func (b *bench) open(spec string) *maptypes.Handle {
	b.t.Helper()
	h, err := b.env.Registry.Open(b.env, spec, maptypes.ReadOnly, flags)
	if err != nil {
		b.t.Fatalf("open %s: %v", spec, err)
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

// postmap asks Postfix's program and returns what it prints, with the log lines
// without its name in front.
func (b *bench) postmap(spec, key string) (stdout string, log []string) {
	b.t.Helper()
	cmd := exec.Command("postmap", "-c", b.dir, "-q", key, spec)
	cmd.Env = append(os.Environ(), "LDAPNOINIT=1") // no settings of the system
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(stderr.String()) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "postmap: ")
		log = append(log, line)
	}
	return out.String(), log
}

// ours does what postmap does.
func (b *bench) ours(spec, key string) (stdout string, log []string) {
	b.t.Helper()
	b.takeLog()
	h, err := b.env.Registry.Open(b.env, spec, maptypes.ReadOnly, flags)
	if err != nil {
		return "", append(warnings(b.takeLog()), "fatal: "+err.Error())
	}
	defer h.Close()
	value, err := get(h, key)
	log = warnings(b.takeLog())
	if reason := maptypes.Reason(err); reason != "" {
		log = append(log, "warning: "+reason)
	}
	switch {
	case err != nil:
		return "", append(log, "fatal: table "+spec+": query error")
	case value == "-":
		return "", log
	}
	return value + "\n", log
}

func warnings(lines []string) (log []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, "error: ") {
			line = "warning: " + line
		}
		log = append(log, line)
	}
	return log
}

// compare asks both about the same keys in several tables. Postfix's program
// sleeps for a second when it fails, hence many of them at a time.
func (b *bench) compare(specs []string, keys ...string) {
	b.t.Helper()
	type answer struct {
		spec, key, stdout string
		log               []string
	}
	var theirs []*answer
	for _, spec := range specs {
		for _, key := range keys {
			theirs = append(theirs, &answer{spec: spec, key: key})
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 40)
	for _, a := range theirs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			a.stdout, a.log = b.postmap(a.spec, a.key)
		})
	}
	wg.Wait()
	for _, want := range theirs {
		got, log := b.ours(want.spec, want.key)
		if got != want.stdout {
			b.t.Errorf("%s: lookup of %q: %q, want %q (log %q, want %q)", filepath.Base(want.spec), want.key, got, want.stdout, log, want.log)
		} else if !same(log, want.log) {
			b.t.Errorf("%s: lookup of %q: log\n%s\nwant\n%s", filepath.Base(want.spec), want.key, strings.Join(log, "\n"), strings.Join(want.log, "\n"))
		}
	}
}

// same compares log lines. After "query error" Postfix prints an error number
// that has nothing to do with it; it looks the numbers of errors in URLs up in the
// wrong list; it says again that there was trouble; and some of its lines end with
// a blank. Ours name the server that
// there is no connection to, and say after a colon what else a server has said,
// or what is wrong with a filter.
func same(log, want []string) bool {
	want = slices.DeleteFunc(want, func(line string) bool { return strings.Contains(line, "Had some trouble with entries") })
	if len(log) != len(want) {
		return false
	}
	for i := range log {
		theirs := want[i]
		for _, end := range []string{": query error: ", ".cf: query error", "error parsing URL ldap://[: "} {
			if before, _, ok := strings.Cut(theirs, end); ok {
				theirs = before + strings.TrimSuffix(end, ": ")
			}
		}
		ours := strings.ReplaceAll(log[i], "\n", "?") // as internal/maillog does
		if _, what, ok := strings.Cut(ours, ": dict_ldap_connect: "); ok && strings.HasPrefix(ours, "warning: connect to ldap server ") {
			ours = "warning: dict_ldap_connect: " + what
		}
		theirs, ours = strings.TrimSpace(theirs), strings.TrimSpace(ours)
		if ours != theirs && !strings.HasPrefix(ours, theirs+": ") {
			return false
		}
	}
	return true
}
