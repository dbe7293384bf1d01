package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestServerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s, b := newServer(t, durable...), newBench(t)
	s.do("SET", "a", "x")
	h := b.open("t", "hosts = "+s.address()+"\n", maptypes.ReadOnly)
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
		s.kill()
		s.wait("a retry", func() bool { return retries.Load() > before })
		s.start()
	}
	b.eventually(h, "a", "x")
	stop.Store(true)
	wg.Wait()
	if found.Load() == 0 || missing.Load() == 0 {
		t.Errorf("%d found, %d not found", found.Load(), missing.Load())
	}
	log := b.takeLog()
	text := strings.Join(log, "\n")
	if !strings.Contains(text, "connect to redis server "+s.address()+": Connection refused") || !strings.Contains(text, "redis server "+s.address()+" is available again") {
		t.Errorf("log:\n%s", text)
	}
	if len(log) > 40 {
		t.Errorf("%d lines of log for three outages:\n%s", len(log), text)
	}
}

// TestAcknowledgedUpdatesSurviveKill kills the server while it is written to.
func TestAcknowledgedUpdatesSurviveKill(t *testing.T) {
	t.Parallel()
	s, b := newServer(t, durable...), newBench(t)
	h := b.open("t", "hosts = "+s.address()+"\n", maptypes.Create)
	var stop atomic.Bool
	var acknowledged, retries atomic.Int64
	var wg sync.WaitGroup
	stored := make([]map[string]string, 8)
	for i := range stored {
		stored[i] = map[string]string{}
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				key, value := fmt.Sprintf("k%d-%d", i, n%50), fmt.Sprint(n)
				change := func() error { return put(h, key, value, maptypes.FlagDupReplace) }
				if n%7 == 6 {
					value = "-"
					change = func() error { return del(h, key) }
				}
				err := change()
				for ; maptypes.Class(err) == maptypes.ErrRetry; err = change() {
					retries.Add(1)
					time.Sleep(time.Millisecond)
				}
				if err != nil && err != maptypes.ErrNotFound {
					t.Errorf("change of %s: %v", key, err)
					return
				}
				stored[i][key] = value
				acknowledged.Add(1)
			}
		})
	}
	for range 5 {
		before := acknowledged.Load()
		s.wait("updates", func() bool { return acknowledged.Load() > before+100 })
		s.kill()
		s.start()
	}
	before := acknowledged.Load()
	s.wait("updates", func() bool { return acknowledged.Load() > before+100 })
	stop.Store(true)
	s.kill() // in the middle of the last ones
	s.start()
	wg.Wait()
	s.kill()
	s.start()
	b.eventually(h, "none", "-")
	checked := 0
	for _, entries := range stored {
		for key, value := range entries {
			b.want(h, key, value)
			checked++
		}
	}
	if checked < 300 || retries.Load() == 0 {
		t.Errorf("%d entries were checked, %d retries", checked, retries.Load())
	}
}

func TestServerRestartIsNotSeen(t *testing.T) {
	t.Parallel()
	s, b := newServer(t, durable...), newBench(t)
	s.do("SET", "a", "x")
	h := b.open("t", "hosts = "+s.address()+"\n", maptypes.Create)
	b.want(h, "a", "x")
	s.stop()
	s.start()
	b.want(h, "a", "x")
	s.stop()
	s.start()
	if err := put(h, "b", "y", 0); err != nil {
		t.Error(err)
	}
	s.stop()
	s.start()
	if err := del(h, "b"); err != nil {
		t.Error(err)
	}
}

func TestFrozenServer(t *testing.T) {
	t.Parallel()
	s, other, b := newServer(t), newServer(t), newBench(t)
	s.do("SET", "a", "x")
	other.do("SET", "a", "y")
	h := b.open("t", "hosts = "+s.address()+"\nlookup_timeout = 1s\n", maptypes.ReadOnly)
	fine := b.open("o", "hosts = "+other.address()+"\n", maptypes.ReadOnly)
	b.want(h, "a", "x")
	s.freeze()
	err := b.wantRetry(h, "a")
	want := fmt.Sprintf("%s: query failed: no answer from redis server %s within 1s (lookup_timeout)", h.Spec(), s.address())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	b.wantRetry(h, "nobody")
	b.want(fine, "a", "y")
	s.thaw()
	b.eventually(h, "a", "x")
	b.eventually(h, "nobody", "-")
}

func TestPoolBound(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	s.do("SET", "a", "x")
	var tables []*maptypes.Handle
	for i := range 5 {
		tables = append(tables, b.open(fmt.Sprint("t", i), "hosts = "+s.address()+"\nmax_connections = 3\nlookup_timeout = 60\n", maptypes.ReadOnly))
	}
	before := connections(s.do("INFO", "stats"))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 50 {
				b.want(tables[i%len(tables)], "a", "x")
			}
		})
	}
	wg.Wait()
	if made := connections(s.do("INFO", "stats")) - before - 1; made < 1 || made > 3 {
		t.Errorf("%d connections were made for 5 tables and 40 clients, want at most 3", made)
	}
}

func TestServerLimitOfConnections(t *testing.T) {
	t.Parallel()
	s, b := newServer(t), newBench(t)
	s.do("SET", "a", "x")
	s.do("CONFIG", "SET", "maxclients", "2")
	h := b.open("t", "hosts = "+s.address()+"\nlookup_timeout = 60\n", maptypes.ReadOnly)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				b.want(h, "a", "x")
			}
		})
	}
	wg.Wait()
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	master, b := newServer(t), newBench(t)
	replica := newServer(t, "--replicaof", "127.0.0.1", fmt.Sprint(master.port), "--repl-timeout", "10")
	replica.wait("the replica to follow", func() bool { return strings.Contains(replica.do("INFO", "replication"), "master_link_status:up") })
	h := b.open("t", "hosts = "+master.address()+"\nwait_replicas = 1\nlookup_timeout = 2\n", maptypes.Create)
	if err := put(h, "a", "x", 0); err != nil {
		t.Fatal(err)
	}
	if got := replica.do("GET", "a"); got != "x" {
		t.Errorf("the replica has %q when the update is acknowledged", got)
	}
	replica.freeze()
	err := put(h, "a", "y", maptypes.FlagDupReplace)
	if want := h.Spec() + ": update failed: 0 of 1 replicas have it (wait_replicas)"; !errors.Is(err, maptypes.ErrRetry) || err.Error() != want {
		t.Errorf("update without the replica: %v, want %s", err, want)
	}
	replica.thaw()
	b.eventuallyPut(h, "a", "y")
	if got := replica.do("GET", "a"); got != "y" {
		t.Errorf("the replica has %q", got)
	}
	// A replica takes no updates, and says so.
	r := b.open("r", "hosts = "+replica.address()+"\n", maptypes.Create)
	b.want(r, "a", "y")
	if err := put(r, "a", "z", maptypes.FlagDupReplace); maptypes.Class(err) != maptypes.ErrRetry || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("update of a replica: %v", err)
	}
	b.want(r, "a", "y")
}
