package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// fake is a server without a network. Its zero value accepts connections.
type fake struct {
	name string
	mu   sync.Mutex

	refuse error         // what Dial fails with
	delay  time.Duration // what Dial takes; also when it fails
	stuck  bool          // Dial and queries never end
	full   int           // connections that it takes; 0: any number

	open, most, dials, queries int
	generation                 int // a restart ends older connections
}

type fakeConn struct {
	server     *fake
	generation int
	noticed    bool // the end of the connection has arrived
}

func (c *fakeConn) Alive() bool { return !c.noticed }

func (c *fakeConn) Close() error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.open--
	return nil
}

func (f *fake) dial(ctx context.Context) (*fakeConn, error) {
	f.mu.Lock()
	f.dials++
	delay, stuck := f.delay, f.stuck
	f.mu.Unlock()
	if stuck {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	if f.full > 0 && f.open >= f.full {
		return nil, fmt.Errorf("%w: says %s", ErrFull, f.name)
	}
	f.open++
	f.most = max(f.most, f.open)
	return &fakeConn{server: f, generation: f.generation}, nil
}

// set changes the server.
func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// count returns how often the server was asked so far.
func (f *fake) count() (dials, queries int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dials, f.queries
}

// table is a table with fake servers.
type table struct {
	*Hosts[*fakeConn]
	mu  sync.Mutex
	log []string
}

var testLimits = Limits{
	MaxConnections: 4, IdleInterval: time.Minute, Lifetime: time.Hour, RetryInterval: time.Minute, LookupTimeout: 5 * time.Second,
}

func newTable(shared *Shared[*fakeConn], limits Limits, servers ...*fake) *table {
	t := &table{}
	var list []Server[*fakeConn]
	for _, f := range servers {
		list = append(list, Server[*fakeConn]{Key: f.name, Name: f.name, Unix: strings.HasPrefix(f.name, "unix:"), Dial: f.dial})
	}
	logf := func(format string, args ...any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.log = append(t.log, fmt.Sprintf(format, args...))
	}
	t.Hosts = shared.Join("fake:t", list, limits, Log{Name: "fake", Infof: logf, Warnf: logf})
	return t
}

func (t *table) takeLog() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.log
	t.log = nil
	return log
}

// ask performs one lookup that takes the given time and returns who answered.
func (t *table) ask(ctx context.Context, took time.Duration) (who string, err error) {
	err = t.Do(ctx, func(ctx context.Context, c *fakeConn) error {
		f := c.server
		f.mu.Lock()
		f.queries++
		gone, stuck := c.generation != f.generation, f.stuck
		f.mu.Unlock()
		if gone {
			return Lost(errors.New("server has gone away"))
		}
		if stuck {
			<-ctx.Done()
			return Lost(ctx.Err())
		}
		select {
		case <-time.After(took):
			who = f.name
			return nil
		case <-ctx.Done():
			return Lost(ctx.Err())
		}
	})
	return who, err
}

// lookup performs one quick lookup: the name of the server, or the error.
func (t *table) lookup() string {
	who, err := t.ask(context.Background(), 0)
	if err != nil {
		return err.Error()
	}
	return who
}

// bubble runs a test in virtual time, with servers that are closed at its end.
func bubble(t *testing.T, test func(t *testing.T, shared *Shared[*fakeConn])) {
	synctest.Test(t, func(t *testing.T) {
		test(t, &Shared[*fakeConn]{})
		time.Sleep(time.Minute) // for what is closed meanwhile
	})
}

var errRefused = maptypes.SystemError(syscall.ECONNREFUSED)

func TestServerDownAndUp(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a", refuse: errRefused}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		if got := table.lookup(); got != maptypes.ErrRetry.Error() {
			t.Errorf("lookup: %s", got)
		}
		if dials, _ := f.count(); dials != 2 {
			t.Errorf("%d connections tried by the first lookup, want 2: the only server may be a load balancer", dials)
		}
		for range 100 {
			table.lookup()
		}
		if dials, _ := f.count(); dials != 2 {
			t.Errorf("%d connections tried by lookups right after that", dials-2)
		}
		time.Sleep(10 * time.Second)
		for range 100 {
			table.lookup()
		}
		if dials, _ := f.count(); dials != 3 {
			t.Errorf("%d connections tried later, want 1", dials-2)
		}
		if log := table.takeLog(); !slices.Equal(log, []string{"connect to fake server a: Connection refused"}) {
			t.Errorf("log %q", log)
		}
		f.set(func(f *fake) { f.refuse = nil })
		time.Sleep(probePause)
		if got := table.lookup(); got != "a" {
			t.Errorf("lookup after the server came back: %s", got)
		}
		if log := table.takeLog(); !slices.Equal(log, []string{"fake server a is available again"}) {
			t.Errorf("log %q", log)
		}
	})
}

func TestDownServerIsSkipped(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		bad, good := &fake{name: "bad", refuse: errRefused}, &fake{name: "good"}
		table := newTable(shared, testLimits, bad, good)
		defer table.Close()
		for range 40 { // without connections the order is random
			if got := table.lookup(); got != "good" {
				t.Fatalf("lookup: %s", got)
			}
			shared.servers["good"].pool.dropIdle()
			synctest.Wait() // a connection counts until it is closed
		}
		if dials, _ := bad.count(); dials != 1 {
			t.Errorf("the server that is down was tried %d times, want once", dials)
		}
		bad.set(func(f *fake) { f.refuse = nil })
		time.Sleep(testLimits.RetryInterval - time.Second)
		table.lookup()
		if dials, _ := bad.count(); dials != 1 {
			t.Error("the server was tried before the retry interval was over")
		}
		time.Sleep(time.Second)
		table.lookup()
		synctest.Wait()
		if dials, _ := bad.count(); dials != 2 {
			t.Error("the server was not tried after the retry interval")
		}
		seen := map[string]bool{}
		for range 40 {
			seen[table.lookup()] = true
		}
		if !seen["bad"] || !seen["good"] {
			t.Errorf("answers came from %v", seen)
		}
	})
}

func TestUnixFirst(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		for range 20 {
			table := newTable(shared, testLimits, &fake{name: "x"}, &fake{name: "unix:y"}, &fake{name: "z"})
			if got := table.lookup(); got != "unix:y" {
				t.Errorf("%s was asked first", got)
			}
			table.Close()
		}
	})
}

func TestQueryErrorIsNoOutage(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		poison := errors.New("Illegal mix of collations")
		for range 100 {
			if err := table.Do(context.Background(), func(context.Context, *fakeConn) error { return poison }); err != poison {
				t.Errorf("error %v", err)
			}
			if got := table.lookup(); got != "a" {
				t.Errorf("lookup after a query error: %s", got)
			}
		}
		if dials, _ := f.count(); dials != 1 {
			t.Errorf("%d connections were made", dials)
		}
	})
}

func TestRestartBetweenLookups(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		table.lookup()
		f.set(func(f *fake) { f.generation++ })
		if got := table.lookup(); got != "a" || len(table.takeLog()) > 0 {
			t.Errorf("a restart of the server was seen by a lookup: %s", got)
		}
	})
}

func TestRestartOfTheOnlyOneThatIsUp(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "unix:a"}
		table := newTable(shared, testLimits, f, &fake{name: "b", refuse: errRefused})
		defer table.Close()
		burst(table, 4)
		f.set(func(f *fake) { f.generation++ })
		if got := table.lookup(); got != "unix:a" {
			t.Errorf("a restart of the server was seen by a lookup: %s", got)
		}
	})
}

func TestLossInEveryQuery(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		for range 10 {
			n := 0
			err := table.Do(context.Background(), func(context.Context, *fakeConn) error {
				n++
				return Lost(errors.New("gone away"))
			})
			if err == nil || err.Error() != "fake:t: query failed: gone away" || n > 3 {
				t.Errorf("after %d attempts: %v", n, err)
			}
			// A key that makes the server hang up leaves others alone.
			if got := table.lookup(); got != "a" {
				t.Errorf("another lookup: %s", got)
			}
		}
	})
}

func TestStuckServer(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		burst(table, 4)
		f.set(func(f *fake) { f.stuck = true })
		start := time.Now()
		if got, want := table.lookup(), "fake:t: query failed: no answer from fake server a within 5s (lookup_timeout)"; got != want {
			t.Errorf("lookup: %s", got)
		}
		table.lookup() // finds that no new connection can be had either
		if took := time.Since(start); took != 2*testLimits.LookupTimeout {
			t.Errorf("two lookups took %v", took)
		}
		time.Sleep(testLimits.LookupTimeout)
		start = time.Now()
		for range 100 {
			table.lookup()
		}
		if took := time.Since(start); took > testLimits.LookupTimeout {
			t.Errorf("100 lookups while the server is known to be down took %v", took)
		}
		f.set(func(f *fake) { f.stuck = false })
		time.Sleep(testLimits.RetryInterval)
		if got := table.lookup(); got != "a" {
			t.Errorf("lookup after the server went on: %s", got)
		}
	})
}

func TestSlowToConnect(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		slow, good := &fake{name: "unix:slow", stuck: true}, &fake{name: "good"}
		table := newTable(shared, testLimits, slow, good)
		defer table.Close()
		start := time.Now()
		if got := table.lookup(); got != "good" {
			t.Errorf("lookup: %s", got)
		}
		if took := time.Since(start); took != testLimits.LookupTimeout/2 {
			t.Errorf("the second server was asked after %v", took)
		}
		time.Sleep(testLimits.LookupTimeout)
	})
}

// tooLate is what lookups are told that found no connection in time, or one at
// the last moment.
var tooLate = []string{
	"fake:t: connect to fake server a: all connections are in use (max_connections)",
	"fake:t: connect to fake server a: no connection in time",
	"fake:t: query failed: no answer from fake server a within 5s (lookup_timeout)",
}

func TestManyLookups(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		other := newTable(shared, testLimits, f)
		defer other.Close()
		var wg sync.WaitGroup
		var failed sync.Map
		for i := range 60 {
			wg.Go(func() {
				from := table
				if i%2 == 0 {
					from = other
				}
				if _, err := from.ask(context.Background(), time.Second); err != nil {
					failed.Store(i, err)
				}
			})
		}
		wg.Wait()
		n := 0
		failed.Range(func(_, err any) bool {
			n++
			if !slices.Contains(tooLate, err.(error).Error()) {
				t.Errorf("error %v", err)
			}
			return true
		})
		// Four at a time, a second each, for five seconds; who starts in the
		// last one is too late.
		if n < 60-5*4 || n > 60-4*4 {
			t.Errorf("%d of 60 lookups failed", n)
		}
		if f.most != testLimits.MaxConnections {
			t.Errorf("%d connections at a time, want %d", f.most, testLimits.MaxConnections)
		}
	})
}

func TestFullServer(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a", full: 2}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if who, err := table.ask(context.Background(), 100*time.Millisecond); who != "a" {
					t.Errorf("lookup: %v", err)
				}
			})
		}
		wg.Wait()
		if dials, _ := f.count(); dials > 40 {
			t.Errorf("%d attempts to connect for 20 lookups", dials)
		}
		if log := table.takeLog(); len(log) > 0 {
			t.Errorf("log %q", log)
		}
	})
}

func TestServerFullOfOthers(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a", full: 1, open: 1}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		if got := table.lookup(); got != "fake:t: connect to fake server a: too many connections: says a" {
			t.Errorf("lookup: %s", got)
		}
		f.set(func(f *fake) { f.open = 0 })
		if got := table.lookup(); got != "a" {
			t.Errorf("lookup when there is room: %s", got)
		}
	})
}

func TestRequestorGoes(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		f := &fake{name: "a"}
		table := newTable(shared, testLimits, f)
		defer table.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go func() { time.Sleep(time.Second / 2); cancel() }()
		if _, err := table.ask(ctx, time.Hour); err != maptypes.ErrRetry {
			t.Errorf("error %v", err)
		}
		if got := table.lookup(); got != "a" {
			t.Errorf("next lookup: %s", got)
		}
	})
}
