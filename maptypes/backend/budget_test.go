package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// capped runs a test in virtual time with a limit of all connections.
func capped(t *testing.T, limit int, test func(t *testing.T, shared *Shared[*fakeConn], limits Limits)) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		shared.budget = &budget{}
		limits := testLimits
		limits.AllConnections = limit
		limits.MaxConnections = 16
		test(t, shared, limits)
	})
}

// asking performs n lookups at once, over and over again for the given time, and returns what they were told.
func asking(table *table, n int, took, during time.Duration) (answers func() (ok, failed int)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	ok, failed := 0, 0
	end := time.Now().Add(during)
	for range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				_, err := table.ask(context.Background(), took)
				mu.Lock()
				if err == nil {
					ok++
				} else {
					failed++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(100 * time.Millisecond) // it may have been told at once
				}
			}
		})
	}
	return func() (int, int) {
		wg.Wait()
		return ok, failed
	}
}

func TestAllConnectionsAreLimited(t *testing.T) {
	capped(t, 6, func(t *testing.T, shared *Shared[*fakeConn], limits Limits) {
		var servers []*fake
		var answers []func() (int, int)
		for i := range 3 {
			f := &fake{name: fmt.Sprint("s", i)}
			servers = append(servers, f)
			table := newTable(shared, limits, f)
			defer table.Close()
			answers = append(answers, asking(table, 20, time.Millisecond*time.Duration(10*(i+1)), 10*time.Second))
		}
		most := 0
		for range 1000 {
			time.Sleep(10 * time.Millisecond)
			now := 0
			for _, f := range servers {
				now += openNow(f)
			}
			most = max(most, now)
		}
		if most != 6 {
			t.Errorf("%d connections at once, want the limit, 6", most)
		}
		for i, get := range answers {
			if ok, failed := get(); failed > 0 || ok < 500 {
				t.Errorf("server %d: %d lookups answered, %d failed", i, ok, failed)
			}
			if dials, _ := servers[i].count(); dials > 50 {
				t.Errorf("server %d: %d connections made: the servers take them from each other", i, dials)
			}
		}
	})
}

func TestIdleConnectionsGiveWay(t *testing.T) {
	capped(t, 4, func(t *testing.T, shared *Shared[*fakeConn], limits Limits) {
		f, g := &fake{name: "f"}, &fake{name: "g"}
		one := newTable(shared, limits, f)
		defer one.Close()
		burst(one, 10)
		if n := openNow(f); n != 4 {
			t.Fatalf("%d connections", n)
		}
		two := newTable(shared, limits, g)
		defer two.Close()
		if got := two.lookup(); got != "g" {
			t.Errorf("lookup while the other server's idle connections use up the limit: %s", got)
		}
		if n := openNow(f) + openNow(g); n > 4 {
			t.Errorf("%d connections, want 4", n)
		}
	})
}

func TestStuckServerLeavesConnectionsToOthers(t *testing.T) {
	capped(t, 4, func(t *testing.T, shared *Shared[*fakeConn], limits Limits) {
		stuck, good := &fake{name: "stuck"}, &fake{name: "good"}
		one, two := newTable(shared, limits, stuck), newTable(shared, limits, good)
		defer one.Close()
		defer two.Close()
		burst(one, 1)
		stuck.set(func(f *fake) { f.stuck = true })
		answers := asking(one, 50, 0, time.Minute)
		time.Sleep(time.Second)
		start := time.Now()
		for range 100 {
			if got := two.lookup(); got != "good" {
				t.Fatalf("lookup: %s", got)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("100 lookups took %v: they have waited for the other server", took)
		}
		answers()
	})
}

// An end of the waiting says which limit it was.
func TestSpentBudgetIsNamed(t *testing.T) {
	capped(t, 1, func(t *testing.T, shared *Shared[*fakeConn], limits Limits) {
		f, g := &fake{name: "f"}, &fake{name: "g"}
		patient := limits
		patient.LookupTimeout = time.Minute
		one, two := newTable(shared, patient, f), newTable(shared, limits, g)
		defer one.Close()
		defer two.Close()
		go one.ask(context.Background(), 30*time.Second)
		synctest.Wait()
		start := time.Now()
		_, err := two.ask(context.Background(), 0)
		if maptypes.Class(err) != maptypes.ErrRetry || !strings.Contains(maptypes.Reason(err), "(proxymapd_backend_connections)") {
			t.Errorf("lookup: %v", err)
		}
		if took := time.Since(start); took > limits.LookupTimeout {
			t.Errorf("the lookup waited for %v", took)
		}
	})
}

// Two tables of one server: the lookups of one take long, and are many.
func TestSlowTableLeavesConnectionsToOthers(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "f"}
		slow, quick := newTable(shared, testLimits, f), newTable(shared, testLimits, f)
		defer slow.Close()
		defer quick.Close()
		answers := asking(slow, 100, 3*time.Second, 30*time.Second)
		time.Sleep(time.Second)
		start := time.Now()
		for range 100 {
			if got := quick.lookup(); got != "f" {
				t.Fatalf("lookup: %s", got)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("100 lookups took %v: they have waited for the other table's", took)
		}
		answers()
	})
}

func TestLookupsInProgressAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "f"}
		limits := testLimits
		limits.MaxLookups = 10
		table, other := newTable(shared, limits, f), newTable(shared, limits, f)
		defer table.Close()
		defer other.Close()
		var mu sync.Mutex
		answers := map[string]int{}
		var wg sync.WaitGroup
		for range 25 {
			wg.Go(func() {
				_, err := table.ask(context.Background(), time.Second)
				mu.Lock()
				defer mu.Unlock()
				answers[fmt.Sprint(maptypes.Class(err), maptypes.Reason(err))]++
			})
		}
		synctest.Wait()
		mu.Lock()
		logged := answers[fmt.Sprint(maptypes.ErrRetry, "fake:t: too many lookups in progress (max_lookups)")]
		quiet := answers[fmt.Sprint(maptypes.ErrRetry)]
		mu.Unlock()
		if logged != 1 || quiet != 14 {
			t.Errorf("%d refused with a line in the log, %d without, want 1 and 14: %v", logged, quiet, answers)
		}
		if got := other.lookup(); got != "f" {
			t.Errorf("lookup in another table: %s", got)
		}
		wg.Wait()
		if got := table.lookup(); got != "f" {
			t.Errorf("lookup when the others have ended: %s", got)
		}
	})
}

// sharedConn is a connection that several lookups use at once.
type sharedConn struct {
	*fakeConn
	mu          sync.Mutex
	users, most int
}

func (c *sharedConn) Room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.users < 8
}

func (c *sharedConn) count(more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users += more
	c.most = max(c.most, c.users)
}

func TestConnectionsAreSharedWhenThereAreNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "f"}
		var shared Shared[*sharedConn]
		limits := testLimits
		limits.MaxConnections = 2
		var mu sync.Mutex
		var conns []*sharedConn
		h := shared.Join("fake:t", []Server[*sharedConn]{{Key: "f", Name: "f", Dial: func(ctx context.Context) (*sharedConn, error) {
			c, err := f.dial(ctx)
			s := &sharedConn{fakeConn: c}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, s)
			return s, err
		}}}, limits, Log{Name: "fake", Infof: t.Logf, Warnf: t.Logf})
		lookup := func(fails bool) error {
			return h.Do(context.Background(), func(_ context.Context, c *sharedConn) error {
				c.count(1)
				time.Sleep(time.Second)
				c.count(-1)
				if fails {
					return Lost(errors.New("gone"))
				}
				return nil
			})
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { lookup(false) })
		}
		wg.Wait()
		start := time.Now()
		for range 16 {
			wg.Go(func() {
				if err := lookup(false); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("16 lookups of a second on 2 connections with room for 8 took %v", took)
		}
		if len(conns) != 2 || conns[0].most != 8 || conns[1].most != 8 {
			t.Errorf("%d connections, used by %d and %d at once", len(conns), conns[0].most, conns[1].most)
		}
		lookup(true) // each connection is lost, and counted once
		h.Close()
		synctest.Wait()
		if n := openNow(f); n != 0 || worker.open < 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}
