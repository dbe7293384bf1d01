package mysql_test

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
	"github.com/proxymapd/proxymapd/maptypes/mysql"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postfixtest.RemoveTemplates()
	os.Exit(code)
}

// flags are those that postmap(1) opens tables with.
const flags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// bench is a database server and tables in it.
type bench struct {
	t   *testing.T
	db  *postfixtest.MariaDB
	dir string
	env *maptypes.Env

	mu  sync.Mutex
	log []string
}

// content is what the tables of the tests ask about.
const content = `
CREATE TABLE t (k VARCHAR(80) CHARACTER SET utf8mb4, v VARCHAR(200) CHARACTER SET utf8mb4);
INSERT INTO t VALUES ('a', 'x'), ('empty', ''), ('null', NULL), ('many', '1'), ('many', '2'), ('many', NULL), ('many', '3'),
  ('addr', 'joe@example.com'), ('addr', 'plain'), ('addr', '@example.com'), ('addr', 'joe@'),
  ('user@example.com', 'full'), ('user', 'local'), ('example.com', 'domain'), ('it''s', 'apostrophe'), ('back\\slash', 'backslash'),
  ('q"q', 'quote'), ('%', 'percent'), ('é', 'e acute'), ('a\nb', 'newline');
DELIMITER //
CREATE PROCEDURE one(p VARCHAR(80)) BEGIN SELECT v FROM t WHERE k = p; END//
CREATE PROCEDURE two(p VARCHAR(80)) BEGIN SELECT v FROM t WHERE k = p; SELECT 'second'; END//
CREATE PROCEDURE none(p VARCHAR(80)) BEGIN SET @x = p; END//
CREATE PROCEDURE late(p VARCHAR(80)) BEGIN SELECT v FROM t WHERE k = p; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'too late'; END//
DELIMITER ;
`

func newBench(t *testing.T, options ...postfixtest.MariaDBOption) *bench {
	t.Helper()
	testenv.Require(t, testenv.Postfix)
	b := &bench{t: t, db: postfixtest.StartMariaDB(t, options...)}
	b.db.SQL(content)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b.dir = dir
	b.write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = no\n")
	b.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(mysql.Driver, inline.Driver, fail.Driver),
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
	return "mysql:" + b.write(name+".cf", b.db.Config()+settings)
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

// postmap asks Postfix's program and returns what it prints, with the log lines
// without its name in front.
func (b *bench) postmap(spec, key string) (stdout string, log []string) {
	b.t.Helper()
	cmd := exec.Command("postmap", "-c", b.dir, "-q", key, spec)
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
		log = append(log, "warning: "+line)
	}
	return log
}

// compare asks both about the same keys.
func (b *bench) compare(spec string, keys ...string) {
	b.t.Helper()
	b.compareAll([]string{spec}, keys)
}

// compareAll asks both about the same keys in several tables. Postfix's program
// sleeps for a second when it fails, hence many of them at a time.
func (b *bench) compareAll(specs, keys []string) {
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
// that has nothing to do with it, and it misses a space.
func same(log, want []string) bool {
	if len(log) != len(want) {
		return false
	}
	for i := range log {
		line := strings.ReplaceAll(want[i], "no result set(", "no result set (")
		if before, _, ok := strings.Cut(line, ": query error: "); ok {
			line = before + ": query error"
		}
		if line != strings.ReplaceAll(log[i], "\n", "?") { // as internal/maillog does
			return false
		}
	}
	return true
}
