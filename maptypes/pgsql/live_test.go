package pgsql_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

const byKey = "query = SELECT v FROM t WHERE k='%s'\n"

// slowly answers the key "user" after a long time, and others at once.
const slowly = "query = SELECT v FROM t WHERE k='%s' AND (k <> 'user' OR pg_sleep(3600) IS NULL)\n"

// wantRetry checks that a lookup fails for now, and returns why.
func (b *bench) wantRetry(h *maptypes.Handle, key string) string {
	b.t.Helper()
	value, err := get(h, key)
	if maptypes.Class(err) != maptypes.ErrRetry {
		b.t.Errorf("lookup of %q: %q %v, want an error of class %v", key, value, err, maptypes.ErrRetry)
	}
	return maptypes.Reason(err)
}

// eventually waits for what comes by itself.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("this has not happened: %s", what)
}

// inQuery waits until a slow lookup has reached the server.
func (b *bench) inQuery(count int) {
	b.t.Helper()
	eventually(b.t, "queries in the server", func() bool {
		return b.db.SQL("SELECT count(*) FROM pg_stat_activity WHERE usename = 'mail' AND state = 'active'") == fmt.Sprintf("%d\n", count)
	})
}

// recovers waits for the right answer. Meanwhile there is no wrong one.
func (b *bench) recovers(h *maptypes.Handle) {
	b.t.Helper()
	eventually(b.t, "the right answer", func() bool {
		value, err := get(h, "a")
		if err == nil && value != "x" {
			b.t.Errorf("lookup: %q", value)
		}
		return err == nil
	})
}

// TestServerStopsInQuery ends the server in all ways while it works, and starts
// it again.
func TestServerStopsInQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", slowly+"lookup_timeout = 1h"))
	quick := b.open(b.table("quick", byKey))
	for name, stop := range map[string]func(){"stop": b.db.Stop, "kill": b.db.Kill} {
		b.want(quick, "a", "x")
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() { b.wantRetry(h, "user") })
		}
		b.inQuery(3)
		stop()
		wait.Wait()
		for range 3 {
			b.wantRetry(quick, "a")
			b.wantRetry(quick, "none")
		}
		b.db.Start()
		b.recovers(quick)
		b.want(h, "none", "-")
		if log := strings.Join(b.takeLog(), "\n"); !strings.Contains(log, "connect to pgsql server unix:"+b.db.Dir) || !strings.Contains(log, "is available again") {
			t.Errorf("%s: log: %s", name, log)
		}
	}
	b.db.Restart()
	b.want(quick, "a", "x")
}

// TestServerFreezes stops the server without a word.
func TestServerFreezes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", byKey+"lookup_timeout = 1"))
	b.want(h, "a", "x")
	b.db.Freeze()
	for range 2 {
		b.wantRetry(h, "a")
	}
	b.db.Thaw()
	b.recovers(h)
	b.want(h, "none", "-")
}

// TestConnectionEnds ends connections that are not in use, which nobody notices.
func TestConnectionEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", byKey))
	for range 5 {
		b.want(h, "a", "x")
		b.db.SQL("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'mail'")
	}
	b.want(h, "a", "x")
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log: %q", log)
	}
}

// TestSlowQuery gives up a query, which then ends in the server too.
func TestSlowQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", slowly+"lookup_timeout = 1"))
	if why := b.wantRetry(h, "user"); !strings.Contains(why, "no answer from pgsql server") {
		t.Errorf("reason: %q", why)
	}
	b.inQuery(0)
	b.want(h, "a", "x")
	patient := b.open(b.table("patient", slowly+"lookup_timeout = 1h"))
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		if value, err := getContext(ctx, patient, "user"); maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("lookup that was cancelled: %q %v", value, err)
		}
	})
	b.inQuery(1)
	cancel()
	wait.Wait()
	b.inQuery(0)
}

// TestErrorIsAboutOneKey makes the server refuse one key.
func TestErrorIsAboutOneKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", "query = SELECT v FROM t WHERE k='%s' AND 1 / (CASE WHEN k = 'user' THEN 0 ELSE 1 END) = 1"))
	for range 3 {
		b.want(h, "a", "x")
		if why := b.wantRetry(h, "user"); why != h.Spec()+": pgsql query failed: fatal error from host unix:"+b.db.Dir+": ERROR:  division by zero" {
			t.Errorf("reason: %q", why)
		}
	}
	if got := connections(b.db); got != "1\n" {
		t.Errorf("connections: %s", got)
	}
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log: %q", log)
	}
}

// TestConnections counts those of many lookups in several tables.
func TestConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var handles []*maptypes.Handle
	for i := range 4 {
		handles = append(handles, b.open(b.table(fmt.Sprint("t", i), byKey+"max_connections = 3\n")))
	}
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			for range 20 {
				b.want(handles[i%4], "a", "x")
			}
		})
	}
	wait.Wait()
	if got := b.db.SQL("SELECT count(*) BETWEEN 1 AND 3 FROM pg_stat_activity WHERE usename = 'mail'"); got != "t\n" {
		t.Errorf("connections: %s", connections(b.db))
	}
}

// TestServerIsFull has fewer connections than the table may use.
func TestServerIsFull(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.SQL("ALTER ROLE mail CONNECTION LIMIT 2")
	h := b.open(b.table("t", byKey))
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for range 10 {
				b.want(h, "a", "x")
			}
		})
	}
	wait.Wait()
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log: %q", log)
	}
}

// TestSession leaves settings and transactions behind.
func TestSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	open := b.open(b.table("open", "query = BEGIN; SELECT v FROM t WHERE k='%s'"))
	quote := b.open(b.table("quote", `query = SET standard_conforming_strings = off; SELECT '%s'`))
	now := b.open(b.table("now", "query = SELECT now() = statement_timestamp() AND '%s' <> ''"))
	for range 3 {
		b.want(open, "a", "x")
		b.want(now, "a", "t")
		b.want(quote, `back\slash'`, `back\slash'`)
	}
}

// TestHugeResult asks for more than fits in an answer.
func TestHugeResult(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", "query = SELECT repeat('x', '%s'::integer) FROM generate_series(1, 3)"))
	b.want(h, "3", "xxx,xxx,xxx")
	for _, size := range []string{"1000000", "2000000", "50000000"} {
		b.wantRetry(h, size)
	}
	b.want(h, "2", "xx,xx,xx")
}

// TestSeveralServers has the same content in two, one of which goes away.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := newBench(t)
	settings := strings.Replace(b.db.Config(), "hosts = ", "hosts = unix:"+other.db.Dir+" ", 1)
	h := b.open("pgsql:" + b.write("two.cf", settings+byKey+"retry_interval = 1\n"))
	for range 3 {
		b.want(h, "a", "x")
		used := b.db
		if connections(b.db) == "0\n" {
			used = other.db
		}
		said := func(what string) func() bool {
			return func() bool {
				b.want(h, "a", "x")
				b.want(h, "none", "-")
				return strings.Contains(strings.Join(b.takeLog(), "\n"), what)
			}
		}
		used.Kill()
		eventually(t, "it is noticed", said("connect to pgsql server unix:"+used.Dir+": "))
		used.Start()
		eventually(t, "the server is asked again", said("pgsql server unix:"+used.Dir+" is available again"))
	}
}

// connections returns how many the tables have to a server.
func connections(db *postfixtest.PostgreSQL) string {
	return db.SQL("SELECT count(*) FROM pg_stat_activity WHERE usename = 'mail'")
}

// TestSecrets looks for passwords in what is said about tables.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var said []string
	for i, settings := range []string{
		"hosts = unix:/no/such/dir\nuser = u\npassword = hunter2\ndbname = d\n",
		"hosts = postgresql://u:hunter2@127.0.0.1:1/d\n",
		"hosts = postgresql://u:hunter2@127.0.0.1:port/d\n",
		"hosts = postgresql://u@127.0.0.1:1/d?password=hunter2&sslcrl=/x\n",
		"hosts = postgresql://u:hunter2@[::1/d\n",
		"hosts = postgresql://u:hunter2@127.0.0.1/d?sslmode=nonsense\n",
		"hosts = mysql://u:hunter2@127.0.0.1/d\n",
		"hosts = unix:/no/such/dir\ndbname = dbname=d password=hunter2 port=nonsense\n",
		"hosts = unix:/no/such/dir\npassword = hunter2\nquery2 = x\n",
	} {
		_, log, _ := b.ours("pgsql:"+b.write(fmt.Sprintf("s%d.cf", i), settings+byKey), "a")
		if len(log) == 0 {
			t.Errorf("nothing is said about %q", settings)
		}
		said = append(said, log...)
	}
	if all := strings.Join(said, "\n"); strings.Contains(all, "hunter2") {
		t.Errorf("log: %s", all)
	}
}

// TestSecretSources takes the password from elsewhere.
func TestSecretSources(t *testing.T) {
	b := newBench(t, postfixtest.PostgreSQLPort())
	const secret = "p@ss:w/o%rd' ${x}"
	b.db.SQL("ALTER ROLE mail PASSWORD '" + strings.ReplaceAll(secret, "'", "''") + "'")
	t.Setenv("PROXYMAPD_TEST_SECRET", secret)
	at := fmt.Sprintf("127.0.0.1:%d", b.db.Port)
	file := b.write("secret", secret+"\n")
	for i, settings := range []string{
		"password = " + secret,
		"password = ${env:PROXYMAPD_TEST_SECRET}",
		"password_file = " + file,
		"hosts = postgresql://mail:${env:PROXYMAPD_TEST_SECRET}@" + at + "/mail",
		"hosts = postgresql://mail@" + at + "/mail?password=${env:PROXYMAPD_TEST_SECRET}",
	} {
		if !strings.HasPrefix(settings, "hosts") {
			settings += "\nhosts = " + at + "\nuser = mail\ndbname = mail"
		}
		b.want(b.open("pgsql:"+b.write(fmt.Sprintf("t%d.cf", i), settings+"\n"+byKey)), "a", "x")
	}
	_, log, _ := b.ours("pgsql:"+b.write("none.cf", "hosts = postgresql://u:${env:PROXYMAPD_TEST_NONE}@h/d\n"+byKey), "a")
	if all := strings.Join(log, "\n"); !strings.Contains(all, "no environment variable PROXYMAPD_TEST_NONE") {
		t.Errorf("log: %s", all)
	}
}

// TestUnusedParameter checks the warning about a parameter that does not exist.
func TestUnusedParameter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.open(b.table("t", byKey+"require_result_set = yes\n"))
	if log := strings.Join(b.takeLog(), "\n"); !strings.HasSuffix(log, "t.cf, line 6: unused parameter: require_result_set") {
		t.Errorf("log: %q", log)
	}
	b.open(b.table("legacy", "query = SELECT '%s'\nselect_function = f\ntable = t\nselect_field = v\nwhere_field = k\nadditional_conditions = \nencoding = UTF8\nidle_interval = 5\nretry_interval = 5\ndomain =\nexpansion_limit = 0\nresult_format = %s\n"))
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log: %q", log)
	}
	const missing = "pgsql:%s/nodb.cf host target '/x' requires dbname setting"
	_, log, _ := b.ours("pgsql:"+b.write("nodb.cf", byKey+"hosts = unix:/x\n"), "a")
	if want := fmt.Sprintf("fatal: "+missing, b.dir); len(log) != 1 || log[0] != want {
		t.Errorf("log: %q, want %q", log, want)
	}
}
