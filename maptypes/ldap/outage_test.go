package ldap_test

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

func TestServerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("group", "special_result_attribute = memberdn"))
	const all = "x,1,2,3,joe@example.com,plain,@example.com,joe@"
	var stop atomic.Bool
	var found, missing, retries atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for !stop.Load() {
				key, want := "nested", all // of four searches
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
		b.eventually(h, "nested", all)
		before := retries.Load()
		b.server.Kill()
		for deadline := time.Now().Add(10 * time.Second); retries.Load() == before && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		b.server.Start()
	}
	b.eventually(h, "nested", all)
	stop.Store(true)
	wg.Wait()
	if found.Load() == 0 || missing.Load() == 0 || retries.Load() == 0 {
		t.Errorf("%d found, %d not found, %d retries: all three were expected", found.Load(), missing.Load(), retries.Load())
	}
	log := strings.Join(b.takeLog(), "\n")
	if !strings.Contains(log, "connect to ldap server "+b.server.URL()+": ") || !strings.Contains(log, "is available again") {
		t.Errorf("log:\n%s", log)
	}
	if n := strings.Count(log, "\n"); n > 40 {
		t.Errorf("%d lines of log for three outages:\n%s", n, log)
	}
}

func TestServerRestartIsNotSeen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("plain", ""))
	b.want(h, "a", "x")
	b.server.Stop()
	b.server.Start()
	b.want(h, "a", "x")
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

func TestFrozenServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := newBench(t)
	h := b.open(b.table("plain", "lookup_timeout = 1s\n"))
	b.want(h, "a", "x")
	b.server.Freeze()
	err := b.wantRetry(h, "a")
	want := fmt.Sprintf("%s: query failed: no answer from ldap server %s within 1s (lookup_timeout)", h.Spec(), b.server.URL())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	b.wantRetry(h, "nobody")
	// Another server's tables go on.
	fine := other.open(other.table("plain", ""))
	other.want(fine, "a", "x")
	b.server.Thaw()
	b.eventually(h, "a", "x")
	b.eventually(h, "nobody", "-")
}

// TestTimeout checks that the time that a table gives a search is what it gives a
// lookup, too.
func TestTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.bare("plain", fmt.Sprintf("server_host = %s\nsearch_base = %s\nquery_filter = (uid=%%s)\nresult_attribute = uid\ntimeout = 2", b.server.URL(), b.server.Suffix)))
	b.eventually(h, "a", "a")
	b.server.Freeze()
	defer b.server.Thaw()
	if err := b.wantRetry(h, "a"); err == nil || !strings.HasSuffix(err.Error(), "within 2s (lookup_timeout)") {
		t.Errorf("error %v", err)
	}
}

func TestServerKilledInQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("plain", "lookup_timeout = 30"))
	b.want(h, "a", "x")
	b.server.Freeze() // as if the search took long
	result := make(chan error, 1)
	go func() {
		_, err := get(h, "nobody")
		result <- err
	}()
	b.server.Kill()
	if err := <-result; maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("lookup whose server was killed: %v", err)
	}
	b.server.Start()
	b.eventually(h, "nobody", "-")
	b.eventually(h, "a", "x")
}

// TestPoisonKey checks that a key that the server has an error for is no reason
// to distrust the server, or to give up the connection.
func TestPoisonKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("poison", "special_result_attribute = memberurl"))
	b.want(h, "a", "x")
	for range 5 {
		if err := b.wantRetry(h, "baddn"); err == nil || !strings.HasPrefix(err.Error(), "dict_ldap_get_values[1]: search error 34: Invalid DN syntax") {
			t.Errorf("error %v", err)
		}
		b.want(h, "a", "x")
		b.want(h, "nobody", "-")
	}
	if n := b.connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// connections counts the connections on which the tables asked so far.
func (b *bench) connections() int {
	b.t.Helper()
	asked := map[string]bool{}
	for line := range strings.Lines(b.server.Log()) {
		fields := strings.Fields(line)
		if strings.Contains(line, `SRCH base="dc=example`) && len(fields) > 2 {
			asked[fields[2]] = true
		}
	}
	return len(asked)
}

// TestConnectionsAreSharedAndBounded checks that all tables of the process keep
// the limit together.
func TestConnectionsAreSharedAndBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var tables []*maptypes.Handle
	for i := range 5 {
		tables = append(tables, b.open(b.table(fmt.Sprint("t", i), fmt.Sprintf("max_connections = 3\nlookup_timeout = 60\nsize_limit = %d\ndereference = %d", 10+i, i%4))))
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 20 {
				b.want(tables[i%len(tables)], "a", "x")
			}
		})
	}
	wg.Wait()
	if made := b.connections(); made < 1 || made > 3 {
		t.Errorf("%d connections were made for 5 tables and 40 clients, want at most 3", made)
	}
}

// TestServersInOrder checks that the first server of the list is asked while it
// is there (ldap_table(5), "server_host").
func TestServersInOrder(t *testing.T) {
	t.Parallel()
	first := newBench(t, postfixtest.OpenLDAPPort())
	second := newBench(t)
	second.server.Modify("dn: uid=a,ou=people,dc=example,dc=org\nchangetype: modify\nreplace: maildrop\nmaildrop: second\n")
	hosts := fmt.Sprintf("server_host = ldap://127.0.0.1:%d, %s\nretry_interval = 1", first.server.Port, second.server.URL())
	spec := first.table("two", hosts)
	h := first.open(spec)
	for range 10 {
		first.want(h, "a", "x")
	}
	first.server.Stop()
	first.want(h, "a", "second")
	first.compare([]string{spec}, "a")
	first.server.Start()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, err := get(h, "a")
		if err == nil && got == "x" {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("after the first server is back: %q %v", got, err)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	right := b.open(b.table("right", fmt.Sprintf("bind_dn = %s\nbind_pw = %s", b.server.RootDN, b.server.Password)))
	wrong := b.open(b.table("wrong", fmt.Sprintf("bind_dn = %s\nbind_pw = wrong-secret", b.server.RootDN)))
	b.wantRetry(wrong, "a")
	b.want(right, "a", "x")
	log := strings.Join(b.takeLog(), "\n")
	if !strings.Contains(log, "Unable to bind to server "+b.server.URL()+" with dn "+b.server.RootDN+": 49 (Invalid credentials)") || strings.Contains(log, "secret") {
		t.Errorf("log:\n%s", log)
	}
}

// TestPasswordFile checks that the password may be elsewhere.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.OpenLDAPSettings("disallow bind_anon"))
	file := b.write("password", b.server.Password+"\n")
	b.want(b.open(b.table("file", fmt.Sprintf("bind_dn = %s\npassword_file = %s", b.server.RootDN, file))), "a", "x")
}
