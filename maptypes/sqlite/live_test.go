package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

const byKey = "query = SELECT v FROM t WHERE k='%s'\n"

// session is another program that uses the database.
type session struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

func (b *bench) session() *session {
	b.t.Helper()
	cmd := exec.Command("sqlite3", b.file)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &session{b.t, in, bufio.NewReader(out)}
}

// run performs statements, and returns when they are done.
func (s *session) run(statements string) {
	s.t.Helper()
	fmt.Fprintf(s.in, "%s\n.print done\n", statements)
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		if line == "done\n" {
			return
		}
	}
}

// wantRetry checks that a lookup fails for now, and returns why.
func (b *bench) wantRetry(h *maptypes.Handle, key string) string {
	b.t.Helper()
	value, err := get(h, key)
	if maptypes.Class(err) != maptypes.ErrRetry {
		b.t.Errorf("lookup of %q: %q %v, want an error of class %v", key, value, err, maptypes.ErrRetry)
	}
	return maptypes.Reason(err)
}

func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	patient := b.open(b.table("patient", byKey+"lookup_timeout = 1h"))
	hasty := b.open(b.table("hasty", byKey+"lookup_timeout = 1"))
	other := b.session()
	other.run("BEGIN EXCLUSIVE; UPDATE t SET v = 'y' WHERE k = 'a';")
	if why := b.wantRetry(hasty, "a"); !strings.Contains(why, "database is locked (lookup_timeout)") {
		t.Errorf("reason: %q", why)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if value, err := getContext(ctx, patient, "a"); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("lookup that was cancelled: %q %v", value, err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { b.want(patient, "a", "y") })
	}
	other.run("COMMIT;")
	wait.Wait()
	b.want(hasty, "a", "y")
}

// TestWriters looks up while other programs write, in both kinds of journal.
func TestWriters(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"DELETE", "WAL"} {
		b := newBench(t)
		b.sql("PRAGMA journal_mode = " + mode)
		h := b.open(b.table("t", byKey))
		other := b.session()
		other.run("PRAGMA synchronous = OFF; PRAGMA busy_timeout = 10000;")
		ctx, cancel := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for ctx.Err() == nil {
					b.want(h, "it's", "apostrophe")
				}
			})
		}
		for i := range 100 {
			other.run(fmt.Sprintf("UPDATE t SET v = 'new %d' WHERE k = 'a';", i))
			b.want(h, "a", fmt.Sprintf("new %d", i))
		}
		cancel()
		wait.Wait()
	}
}

// TestReplacedFile puts another database in the place of the first.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link := b.dir + "/link"
	if err := os.Symlink(b.file, link); err != nil {
		t.Fatal(err)
	}
	handles := []*maptypes.Handle{
		b.open(b.table("path", byKey)),
		b.open("sqlite:" + b.write("link.cf", "dbpath = "+link+"\n"+byKey)),
		b.open("sqlite:" + b.write("uri.cf", "dbpath = file:"+b.file+"\n"+byKey)),
	}
	want := func(value string) {
		t.Helper()
		for _, h := range handles {
			b.want(h, "a", value)
		}
	}
	want("x")
	sqlFile(t, b.dir+"/new", strings.ReplaceAll(content, "'x'", "'second'"))
	rename(t, b.dir+"/new", b.file)
	want("second")
	if err := os.Remove(b.file); err != nil {
		t.Fatal(err)
	}
	for _, h := range handles {
		b.wantRetry(h, "a")
	}
	sqlFile(t, b.file, strings.ReplaceAll(content, "'x'", "'third'"))
	eventually(t, func() bool {
		for _, h := range handles {
			if value, err := get(h, "a"); value != "third" || err != nil {
				return false
			}
		}
		return true
	})
	sqlFile(t, b.dir+"/fourth", strings.ReplaceAll(content, "'x'", "'fourth'"))
	if err := os.Symlink(b.dir+"/fourth", b.dir+"/newlink"); err != nil {
		t.Fatal(err)
	}
	rename(t, b.dir+"/newlink", link)
	b.want(handles[1], "a", "fourth")
	b.want(handles[0], "a", "third")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what comes by itself.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("this has not happened")
}

// TestDamagedFile looks up in a file that is no database any more.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", byKey))
	b.want(h, "a", "x")
	whole, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte(nil), whole...)
	for i := 100; i < len(damaged); i++ {
		damaged[i] ^= 0x55
	}
	damaged[27]++ // the file's change counter
	if err := os.WriteFile(b.file, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if why := b.wantRetry(h, "a"); !strings.Contains(why, "malformed") {
		t.Errorf("reason: %q", why)
	}
	whole[27] = damaged[27] // as if nothing had changed since
	if err := os.WriteFile(b.file, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	b.want(h, "a", "x")
}

// TestMissingDatabase opens a table, as a server does, before its database is
// there.
func TestMissingDatabase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env.Daemon = true
	late := b.dir + "/late"
	h := b.open("sqlite:" + b.write("late.cf", "dbpath = "+late+"\n"+byKey))
	if why := b.wantRetry(h, "a"); !strings.Contains(why, "open database "+late+": unable to open database file: No such file or directory") {
		t.Errorf("reason: %q", why)
	}
	sqlFile(t, b.dir+"/new", content)
	rename(t, b.dir+"/new", late)
	b.want(h, "a", "x")
}

// TestEndlessQuery ends a query that does not end by itself.
func TestEndlessQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const endless = "query = WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT v FROM t WHERE k = '%s' AND (k = 'a' OR (SELECT max(n) FROM c) = 0)\n"
	h := b.open(b.table("t", endless+"lookup_timeout = 1"))
	if why := b.wantRetry(h, "user"); !strings.Contains(why, "interrupted (lookup_timeout)") {
		t.Errorf("reason: %q", why)
	}
	b.want(h, "a", "x")
	patient := b.open(b.table("patient", endless+"lookup_timeout = 1h"))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if value, err := getContext(ctx, patient, "user"); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("lookup that was cancelled: %q %v", value, err)
	}
	b.want(patient, "a", "x")
}

// TestHugeResult asks for more than fits in an answer.
func TestHugeResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", "query = SELECT hex(zeroblob('%s'))"))
	b.want(h, "3", "000000")
	for size, reason := range map[string]string{"2000000": "result of more than", "10000000": "too big", "1000000000": "too big"} {
		if why := b.wantRetry(h, size); !strings.Contains(why, reason) {
			t.Errorf("size %s: reason: %q", size, why)
		}
	}
	b.want(h, "2", "0000")
}

// TestInjection looks up keys that try to be more than text.
func TestInjection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, query := range map[string]string{
		"apostrophes": "SELECT v FROM t WHERE k = '%s'",
		"quotes":      `SELECT v FROM t WHERE k = "%s"`,
		"after quote": `SELECT v FROM t WHERE "k" = '%s' -- it's`,
		"comment":     "SELECT v /* it's */ FROM t WHERE k = '%s'",
		"name":        "SELECT v AS `it's %s` FROM t WHERE k = '%s' -- [%s] \"",
		"in comment":  "SELECT v /* %s */ FROM t WHERE k = '%s'",
		"brackets":    "SELECT v AS [it's] FROM t WHERE k = '%s'",
		"parts":       "SELECT v FROM t WHERE k = '%u' || '@' || '%d' AND '%1' <> ''",
	} {
		h := b.open(b.table(strings.ReplaceAll(name, " ", ""), "query = "+query))
		for _, end := range []string{"'", `"`, "`", `\'`, "''", "';", "')", "%'", "]", "*/", "\n'"} {
			for _, attack := range []string{" OR 1=1 --", " OR 1=1 /*", " UNION SELECT v FROM t --", " OR ''='", ` OR ""="`, "; DROP TABLE t --"} {
				for _, key := range []string{"u" + end + attack, "u" + end + attack + "@x.com", "u@x" + end + attack + ".com"} {
					if value, err := get(h, key); value != "-" || err != nil {
						t.Errorf("%s: lookup of %q: %q %v", name, key, value, err)
					}
				}
			}
		}
	}
	b.want(b.open(b.table("plain", byKey)), "it's", "apostrophe")
}

// TestWarnsAboutQuotes checks the log of tables whose query is not safe.
func TestWarnsAboutQuotes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for text, places := range map[string][]string{
		"SELECT '%s', '%u', '%%'":      nil,
		`SELECT "%s"`:                  {"%s"},
		"SELECT '''%s', %d, \"'\", %1": {"%d", "%1"},
		"SELECT 1 %% 2":                nil,
	} {
		spec := b.table("t", "query = "+text)
		b.takeLog()
		b.open(spec)
		var want []string
		for _, place := range places {
			want = append(want, fmt.Sprintf("%s: query >%s< contains >%s< without the recommended '' quotes", spec, text, place))
		}
		if log := b.takeLog(); strings.Join(log, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: log %q, want %q", text, log, want)
		}
	}
}

// TestReadOnly checks that a query cannot change the database.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", "query = INSERT INTO t VALUES ('%s', 'new')"))
	if why := b.wantRetry(h, "fresh"); !strings.Contains(why, "attempt to write a readonly database") {
		t.Errorf("reason: %q", why)
	}
	b.want(b.open(b.table("plain", byKey)), "fresh", "-")
	if _, err := b.env.Registry.Open(b.env, b.table("w", byKey), maptypes.ReadWrite, flags); err == nil || !strings.Contains(err.Error(), "map requires O_RDONLY access mode") {
		t.Errorf("open for writing: %v", err)
	}
}

// TestUnusedParameter checks the warning about a parameter that does not exist.
func TestUnusedParameter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open(b.table("t", byKey+"hosts = localhost\n"))
	if log := strings.Join(b.takeLog(), "\n"); !strings.HasSuffix(log, "t.cf, line 3: unused parameter: hosts") {
		t.Errorf("log: %q", log)
	}
}
