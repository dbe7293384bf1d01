package pgsql_test

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
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/pgsql"
)

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is a database server and tables in it.
type bench struct {
	t   *testing.T
	db  *postfixtest.PostgreSQL
	dir string
	env *maptypes.Env

	mu  sync.Mutex
	log []string
}

// content is what the tables of the tests ask about.
const content = `
CREATE TABLE t (k TEXT, v TEXT);
INSERT INTO t VALUES ('a', 'x'), ('empty', ''), ('null', NULL), ('many', '1'), ('many', '2'), ('many', NULL), ('many', '3'),
  ('addr', 'joe@example.com'), ('addr', 'plain'), ('addr', '@example.com'), ('addr', 'joe@'),
  ('user@example.com', 'full'), ('user', 'local'), ('example.com', 'domain'), ('it''s', 'apostrophe'), ('back\slash', 'backslash'),
  ('q"q', 'quote'), ('%', 'percent'), ('é', 'e acute'), ('€', 'euro');
CREATE FUNCTION find(key TEXT) RETURNS SETOF TEXT LANGUAGE SQL AS 'SELECT v FROM t WHERE k = key';
CREATE FUNCTION chatty(key TEXT) RETURNS TEXT LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''hello''; RETURN key; END';
GRANT SELECT, INSERT ON t TO mail;
`

func newBench(t *testing.T, options ...postfixtest.PostgreSQLOption) *bench {
	t.Helper()
	testenv.Require(t, testenv.Postfix, testenv.PostfixPgSQL)
	b := &bench{t: t, db: postfixtest.StartPostgreSQL(t, options...)}
	b.db.SQL(content)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b.dir = dir
	b.write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = no\n")
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(pgsql.Driver, inline.Driver, fail.Driver),
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

// table writes the settings of a table: how to reach the server, and more.
func (b *bench) table(name, settings string) (spec string) {
	b.t.Helper()
	return "pgsql:" + b.write(name+".cf", b.db.Config()+settings)
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
	return getContext(context.Background(), h, key)
}

func getContext(ctx context.Context, h *maptypes.Handle, key string) (string, error) {
	r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
	value, err := h.Lookup(ctx, r)
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

// postmap asks Postfix's program about keys, one after the other until there is
// an error, and returns what it prints, with the log lines without its name in
// front.
func (b *bench) postmap(spec string, keys ...string) (stdout string, log []string) {
	b.t.Helper()
	cmd := exec.Command("postmap", "-c", b.dir, "-q", "-", spec)
	cmd.Stdin = strings.NewReader(strings.Join(keys, "\n") + "\n")
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

// ours does what postmap does, and returns also how many keys it got to.
func (b *bench) ours(spec string, keys ...string) (stdout string, log []string, asked int) {
	b.t.Helper()
	b.takeLog()
	h, err := b.env.Registry.Open(b.env, spec, maptypes.ReadOnly, flags)
	if err != nil {
		return "", append(warnings(b.takeLog()), "fatal: "+err.Error()), len(keys)
	}
	defer h.Close()
	for i, key := range keys {
		value, err := get(h, key)
		log = append(log, warnings(b.takeLog())...)
		if reason := maptypes.Reason(err); reason != "" {
			log = append(log, "warning: "+reason)
		}
		if err != nil {
			return stdout, append(log, "fatal: table "+spec+": query error"), i + 1
		}
		if value != "-" {
			stdout += key + "\t" + value + "\n"
		}
	}
	return stdout, log, len(keys)
}

func warnings(lines []string) (log []string) {
	for _, line := range lines {
		log = append(log, "warning: "+line)
	}
	return log
}

// compare asks both about the same keys.
func (b *bench) compare(spec string, keys ...string) {
	b.t.Helper()
	for len(keys) > 0 {
		_, _, n := b.ours(spec, keys...)
		if n > 1 && n < len(keys) {
			n-- // an error would cost what Postfix's program has not printed yet
		}
		got, log, _ := b.ours(spec, keys[:n]...)
		want, wantLog := b.postmap(spec, keys[:n]...)
		if got != want || !same(log, wantLog) {
			b.t.Errorf("%s: %s\nlog  %q\nwant %q", filepath.Base(spec), difference(got, want), log, wantLog)
		}
		keys = keys[n:]
	}
}

// difference returns the first line that is not the same.
func difference(got, want string) string {
	for got != "" || want != "" {
		var a, b string
		a, got, _ = strings.Cut(got, "\n")
		b, want, _ = strings.Cut(want, "\n")
		if a != b {
			return fmt.Sprintf("%q, want %q", a, b)
		}
	}
	return ""
}

// same compares log lines. Postfix does not say which table a failed query is
// about, shows the query, and says nothing of a list of domains that cannot be
// asked.
func same(log, want []string) bool {
	var lines []string
	for _, line := range log {
		if before, after, ok := strings.Cut(line, ": pgsql query failed: "); ok && strings.HasPrefix(before, "warning: ") {
			line = "warning: pgsql query failed: " + after
		}
		if !strings.Contains(line, "'domain' pattern match failed") {
			lines = append(lines, line)
		}
	}
	var wanted []string
	for _, line := range want {
		line, _, _ = strings.Cut(line, "?") // of a newline
		if before, _, ok := strings.Cut(line, ": query error: "); ok {
			line = before + ": query error"
		}
		if line != "" { // a notice that libpq prints
			wanted = append(wanted, line)
		}
	}
	return strings.Join(lines, "\n") == strings.Join(wanted, "\n")
}
