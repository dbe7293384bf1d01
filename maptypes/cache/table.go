package cache

import (
	"container/list"
	"context"
	"sync/atomic"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// table is one instance of a table behind its cache.
type table struct {
	cache *Cache
	inner maptypes.Table
	env   *maptypes.Env
	spec  string
	state *maptypes.State

	ctx    context.Context // of refreshes; ends with Close
	cancel context.CancelFunc
	users  atomic.Int64 // refreshes in progress, and one for being open

	// The following belong to cache.mu.
	answers map[question]*list.Element
	flights map[question]*flight
	closed  bool
	warned  time.Time // when the log was last told about stale answers
}

// sequencer is a table that can list its entries.
type sequencer struct {
	*table
	maptypes.Sequencer
}

// Wrap is maptypes.Env.Cache: it puts a cache in front of the tables of the set.
func (s *Set) Wrap(env *maptypes.Env, spec string, inner maptypes.Table, state *maptypes.State) maptypes.Table {
	c := s.caches[spec]
	if c == nil {
		return nil
	}
	t := &table{
		cache: c, inner: inner, env: env, spec: spec, state: state,
		answers: map[question]*list.Element{}, flights: map[question]*flight{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.users.Store(1)
	if seq, ok := inner.(maptypes.Sequencer); ok {
		return sequencer{t, seq}
	}
	return t
}

// Lookup implements maptypes.Table.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) (value []byte, err error) {
	version, settled := t.state.Version(ctx)
	for {
		a, f := t.begin(r, version, settled)
		switch {
		case a != nil:
			if r.Trace != nil {
				t.traceHit(r, a)
			}
			return a.apply(r)
		case f.leader:
			if r.Trace != nil {
				r.Trace.Step("cache: miss")
			}
			value, err = t.ask(ctx, r, f.flight)
		default:
			value, err = t.wait(ctx, r, f.flight)
			if err == errAbandoned {
				continue
			}
		}
		if maptypes.Class(err) == maptypes.ErrRetry {
			if a := t.stale(r, version, err); a != nil {
				return a.apply(r)
			}
		}
		return value, err
	}
}

// begin returns a fresh answer, or else the flight that brings one. It begins to
// fetch an answer anew that will soon be too old.
func (t *table) begin(r *maptypes.Request, version uint64, settled bool) (*answer, seat) {
	c := t.cache
	now := time.Now()
	flags := r.Flags & answerFlags
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := t.answers[question{flags, string(r.Key)}]; e != nil {
		a := e.Value.(*answer)
		switch {
		case a.version != version:
			c.drop(e)
		case a.fresh(now):
			c.stats.Hits++
			c.order.MoveToFront(e)
			if settled && a.due(now) {
				t.refresh(a, r.Flags)
			}
			return a, seat{}
		}
	}
	c.stats.Misses++
	if f := t.flights[question{flags, string(r.Key)}]; f != nil && f.version == version {
		return nil, seat{flight: f}
	}
	return nil, seat{t.depart(question{flags, string(r.Key)}, version, settled), true}
}

// apply makes an answer that of a request.
func (a *answer) apply(r *maptypes.Request) ([]byte, error) {
	r.Flags = (r.Flags | a.set) &^ a.cleared
	if !a.found {
		return nil, maptypes.ErrNotFound
	}
	return a.value, nil
}

// staleInterval is how often the log is told that answers are stale.
const staleInterval = time.Minute

// stale returns the old answer to a question that the table could not answer, if
// there is one.
func (t *table) stale(r *maptypes.Request, version uint64, reason error) *answer {
	c := t.cache
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := t.answers[question{r.Flags & answerFlags, string(r.Key)}]
	if e == nil {
		return nil
	}
	a := e.Value.(*answer)
	if a.version != version || !a.usable(now, c.limits.StaleOnError) {
		return nil
	}
	c.stats.Stale++
	c.order.MoveToFront(e)
	if t.warned.IsZero() || now.Sub(t.warned) >= staleInterval {
		t.warned = now
		t.env.Warnf("table %s: answers from the cache that are older than %v, because: %v", t.spec, c.limits.TTL, reason)
	}
	if r.Trace != nil {
		r.Trace.Step("cache: stale, because %s; age %ds, ttl %ds", maptypes.Outcome(nil, reason), seconds(now.Sub(a.asked)), seconds(a.ttl))
	}
	return a
}

func (t *table) traceHit(r *maptypes.Request, a *answer) {
	r.Trace.Step("cache: hit, age %ds, ttl %ds", seconds(time.Since(a.asked)), seconds(a.ttl))
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Close implements maptypes.Table. What is being fetched anew is given up; the
// driver's table is closed when that has ended.
func (t *table) Close() error {
	c := t.cache
	c.mu.Lock()
	t.closed = true
	for _, e := range t.answers {
		c.drop(e)
	}
	c.mu.Unlock()
	t.cancel()
	return t.release()
}

// release gives up one use of the driver's table; the last one closes it.
func (t *table) release() error {
	if t.users.Add(-1) == 0 {
		return t.inner.Close()
	}
	return nil
}
