package backend

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// burst uses n connections at a time.
func burst(table *table, n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { table.ask(context.Background(), time.Millisecond) })
	}
	wg.Wait()
}

func openNow(f *fake) int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		burst(table, 3)
		if n := openNow(f); n != 3 {
			t.Fatalf("%d connections", n)
		}
		time.Sleep(testLimits.IdleInterval / 2)
		table.lookup()
		time.Sleep(testLimits.IdleInterval / 2)
		if n := openNow(f); n != 1 {
			t.Errorf("%d connections after the others were idle, want the one that was used", n)
		}
		time.Sleep(testLimits.IdleInterval / 2)
		if n := openNow(f); n != 0 {
			t.Errorf("%d connections at the end", n)
		}
	})
}

func TestLifetime(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		limits := testLimits
		limits.Lifetime = 10 * time.Minute
		table := newTable(shared, limits, f)
		defer table.Close()
		for range 60 {
			table.lookup()
			time.Sleep(30 * time.Second)
		}
		if dials, _ := f.count(); dials != 3 {
			t.Errorf("%d connections in half an hour, want 3", dials)
		}
	})
}

func TestSmallestLimitHolds(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		big, small := testLimits, testLimits
		big.MaxConnections, small.MaxConnections = 4, 2
		one := newTable(shared, big, f)
		two := newTable(shared, small, f)
		burst(one, 10)
		if f.most != 2 {
			t.Errorf("%d connections, want the smaller limit, 2", f.most)
		}
		two.Close()
		burst(one, 10)
		if f.most != 4 {
			t.Errorf("%d connections after the table with the smaller limit was closed, want 4", f.most)
		}
		one.Close()
		if n := openNow(f); n != 0 || len(shared.servers) != 0 {
			t.Errorf("%d connections and %d servers after the last table was closed", n, len(shared.servers))
		}
	})
}

func TestCloseWithLookupsInProgress(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a", delay: time.Second}
		table := newTable(shared, testLimits, f)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { table.ask(context.Background(), time.Second) })
		}
		time.Sleep(500 * time.Millisecond)
		table.Close()
		wg.Wait()
		if n := openNow(f); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestDeadIdleConnectionIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		table.lookup()
		shared.servers["a"].pool.idle[0].conn.noticed = true
		if got := table.lookup(); got != "a" {
			t.Errorf("lookup: %s", got)
		}
		if _, queries := f.count(); queries != 2 {
			t.Errorf("%d queries for two lookups: the dead connection was used", queries)
		}
	})
}
