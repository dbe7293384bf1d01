package mysql_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

// wantRetry checks that a lookup says that it could not ask.
func (b *bench) wantRetry(h *maptypes.Handle, key string) error {
	b.t.Helper()
	got, err := get(h, key)
	if maptypes.Class(err) != maptypes.ErrRetry {
		b.t.Errorf("%s: lookup of %q: %q %v, want a retry", h.Spec(), key, got, err)
	}
	return err
}

// eventually repeats a lookup that may say "retry" until it has the answer.
func (b *bench) eventually(h *maptypes.Handle, key, value string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := get(h, key)
		if err == nil && got == value {
			return
		}
		if err == nil {
			b.t.Fatalf("lookup of %q: %q, want %q", key, got, value)
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("lookup of %q: still %v", key, err)
		}
	}
}

const plainQuery = "query = SELECT v FROM t WHERE k='%s'\n"

func TestServerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("plain", plainQuery))
	var stop atomic.Bool
	var found, missing, retries atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for !stop.Load() {
				key, want := "a", "x"
				if i%2 == 1 {
					key, want = "nobody", "-"
				}
				switch got, err := get(h, key); {
				case maptypes.Class(err) == maptypes.ErrRetry:
					retries.Add(1)
					time.Sleep(time.Millisecond)
				case err != nil || got != want:
					t.Errorf("lookup of %q: %q %v", key, got, err)
					return
				case want == "-":
					missing.Add(1)
				default:
					found.Add(1)
				}
			}
		})
	}
	for range 3 {
		b.eventually(h, "a", "x")
		before := retries.Load()
		b.db.Kill()
		for deadline := time.Now().Add(10 * time.Second); retries.Load() == before && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		b.db.Start()
	}
	b.eventually(h, "a", "x")
	stop.Store(true)
	wg.Wait()
	if found.Load() == 0 || missing.Load() == 0 || retries.Load() == 0 {
		t.Errorf("%d found, %d not found, %d retries: all three were expected", found.Load(), missing.Load(), retries.Load())
	}
	log := strings.Join(b.takeLog(), "\n")
	if !strings.Contains(log, "connect to mysql server unix:"+b.db.Socket+": ") || !strings.Contains(log, "is available again") {
		t.Errorf("log:\n%s", log)
	}
	if n := strings.Count(log, "\n"); n > 40 {
		t.Errorf("%d lines of log for three outages:\n%s", n, log)
	}
}

func TestServerKilledInQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	slow := b.open(b.table("slow", "query = SELECT SLEEP(20), '%s'\nlookup_timeout = 30"))
	result := make(chan error, 1)
	go func() {
		_, err := get(slow, "a")
		result <- err
	}()
	for b.db.SQL("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'") != "1\n" {
		time.Sleep(10 * time.Millisecond)
	}
	b.db.Kill()
	if err := <-result; maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("lookup whose server was killed: %v", err)
	}
	h := b.open(b.table("plain", plainQuery))
	b.wantRetry(h, "nobody")
	b.db.Start()
	b.eventually(h, "nobody", "-")
	b.eventually(h, "a", "x")
}

func TestServerRestartIsNotSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("plain", plainQuery))
	b.want(h, "a", "x")
	b.db.Restart()
	b.want(h, "a", "x")
}

func TestFrozenServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := newBench(t)
	h := b.open(b.table("plain", plainQuery+"lookup_timeout = 1s\n"))
	b.want(h, "a", "x")
	b.db.Freeze()
	_, err := get(h, "a")
	for err == nil { // the signal takes a moment to reach all threads
		_, err = get(h, "a")
	}
	want := fmt.Sprintf("%s: query failed: no answer from mysql server unix:%s within 1s (lookup_timeout)", h.Spec(), b.db.Socket)
	if maptypes.Class(err) != maptypes.ErrRetry || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	b.wantRetry(h, "nobody")
	// Another server's tables go on.
	fine := other.open(other.table("plain", plainQuery))
	other.want(fine, "a", "x")
	b.db.Thaw()
	b.eventually(h, "a", "x")
	b.eventually(h, "nobody", "-")
}

func TestPoisonKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("poison", "query = SELECT v FROM t WHERE k = IF('%s' = 'poison', (SELECT v FROM t), '%s')"))
	before := b.connections()
	for range 5 {
		if err := b.wantRetry(h, "poison"); err == nil || !strings.HasSuffix(err.Error(), ": query failed: Subquery returns more than 1 row") {
			t.Errorf("error %v", err)
		}
		b.want(h, "a", "x")
		b.want(h, "nobody", "-")
	}
	if made := b.connections() - before - 1; made != 1 {
		t.Errorf("%d connections were made, want one for all lookups", made)
	}
}

// TestSlowKey checks that a key with a slow query delays nobody else.
func TestSlowKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("slow", "query = SELECT IF('%s' = 'slow', SLEEP(60), '%s')\nlookup_timeout = 2"))
	slow := make(chan error)
	go func() {
		_, err := get(h, "slow")
		slow <- err
	}()
	for n := 0; ; n++ {
		select {
		case err := <-slow:
			if maptypes.Class(err) != maptypes.ErrRetry || !strings.Contains(err.Error(), "lookup_timeout") {
				t.Errorf("slow lookup: %v", err)
			}
			if n < 10 {
				t.Errorf("only %d lookups during the slow one", n)
			}
			return
		default:
			b.want(h, "quick", "quick")
		}
	}
}

// connections returns how many connections were made to the server so far, one by
// each call among them.
func (b *bench) connections() (n int) {
	b.t.Helper()
	text := b.db.SQL("SHOW GLOBAL STATUS LIKE 'Connections'")
	if _, err := fmt.Sscanf(text, "Connections\t%d", &n); err != nil {
		b.t.Fatalf("%s: %v", text, err)
	}
	return n
}

// TestPoolBound checks that all tables of the process together keep the limit.
func TestPoolBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var tables []*maptypes.Handle
	for i := range 5 {
		tables = append(tables, b.open(b.table(fmt.Sprint("t", i), plainQuery+"max_connections = 3\nlookup_timeout = 60")))
	}
	before := b.connections()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 50 {
				b.want(tables[i%len(tables)], "a", "x")
			}
		})
	}
	wg.Wait()
	if made := b.connections() - before - 1; made < 1 || made > 3 {
		t.Errorf("%d connections were made for 5 tables and 40 clients, want at most 3", made)
	}
}

func TestServerLimitOfConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.SQL("ALTER USER mail WITH MAX_USER_CONNECTIONS 2")
	h := b.open(b.table("plain", plainQuery+"lookup_timeout = 60"))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				b.want(h, "a", "x")
			}
		})
	}
	wg.Wait()
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.MariaDBPort())
	settings := fmt.Sprintf("hosts = unix:/no/such/socket inet:127.0.0.1:%d\nuser = mail\npassword = %s\ndbname = mail\n", b.db.Port, b.db.Password)
	h := b.open("mysql:" + b.write("two.cf", settings+plainQuery))
	for range 3 {
		b.want(h, "a", "x")
	}
	log := b.takeLog()
	if len(log) != 1 || log[0] != "connect to mysql server unix:/no/such/socket: No such file or directory" {
		t.Errorf("log %q", log)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	right := b.open(b.table("right", plainQuery))
	wrong := b.open("mysql:" + b.write("wrong.cf", strings.Replace(b.db.Config(), b.db.Password, "wrong-secret", 1)+plainQuery))
	b.wantRetry(wrong, "a")
	b.want(right, "a", "x")
	log := strings.Join(b.takeLog(), "\n")
	if !strings.Contains(log, "Access denied for user 'mail'@'localhost'") || strings.Contains(log, "secret") {
		t.Errorf("log:\n%s", log)
	}
}
