package cache

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// flight is one lookup in the table that several requests wait for.
type flight struct {
	question question
	version  uint64
	settled  bool          // the answer may be kept
	asked    time.Time     // when it began
	done     chan struct{} // closed when the following are set
	answer   *answer       // nil if there is an error
	err      error
}

// seat is a request's place in a flight: that of the one who asks the table, or not.
type seat struct {
	*flight
	leader bool
}

// errAbandoned says that whoever asked the table for others gave up, or panicked.
var errAbandoned = errors.New("abandoned")

// depart begins a flight. cache.mu is held. The table may have changed unseen when
// it is not settled: whoever comes later then asks for himself.
func (t *table) depart(q question, version uint64, settled bool) *flight {
	f := &flight{question: q, version: version, settled: settled, asked: time.Now(), done: make(chan struct{})}
	if settled {
		t.flights[q] = f
	}
	return f
}

// refresh fetches an answer anew in the background, if there are not too many that
// do. cache.mu is held, and the table is open.
func (t *table) refresh(a *answer, flags maptypes.Flags) {
	c := t.cache
	if c.refreshes >= maxRefreshes || t.closed || t.flights[a.question] != nil {
		return
	}
	a.refreshed = true
	c.refreshes++
	t.users.Add(1)
	f := t.depart(a.question, a.version, true)
	go t.fetch(f, &maptypes.Request{Flags: flags, Key: []byte(a.question.key)})
}

// fetch asks the table in the background.
func (t *table) fetch(f *flight, r *maptypes.Request) {
	var err error
	defer t.release()
	defer func() {
		t.cache.mu.Lock()
		defer t.cache.mu.Unlock()
		t.cache.refreshes--
		if err == nil || maptypes.Class(err) == maptypes.ErrNotFound {
			t.cache.stats.Refreshed++
		}
	}()
	defer t.env.Contain(t.spec, "lookup", &err)
	_, err = t.ask(t.ctx, r, f)
}

// ask asks the table, and gives the answer to all who wait for it.
func (t *table) ask(ctx context.Context, r *maptypes.Request, f *flight) (value []byte, err error) {
	result, reason := (*answer)(nil), errAbandoned
	// Also when the driver panics.
	defer func() { t.land(f, result, reason) }()
	before := r.Flags
	value, err = t.inner.Lookup(ctx, r)
	switch class := maptypes.Class(err); {
	case class == nil || class == maptypes.ErrNotFound:
		result, reason = t.newAnswer(f, value, class == nil), nil
		result.set, result.cleared = r.Flags&^before, before&^r.Flags
	case ctx.Err() == nil:
		reason = err
	}
	return value, err
}

func (t *table) newAnswer(f *flight, value []byte, found bool) *answer {
	a := &answer{
		owner: t, question: f.question, value: bytes.Clone(value), found: found,
		version: f.version, asked: f.asked, ttl: t.cache.limits.TTL,
	}
	if !found {
		a.ttl = t.cache.limits.NegativeTTL
	}
	return a
}

// land ends a flight.
func (t *table) land(f *flight, a *answer, err error) {
	c := t.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.flights[f.question] == f {
		delete(t.flights, f.question)
	}
	if a != nil && f.settled {
		c.store(a)
	}
	f.answer, f.err = a, err
	close(f.done)
}

// wait waits for what another request brings.
func (t *table) wait(ctx context.Context, r *maptypes.Request, f *flight) ([]byte, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, maptypes.Retryf("table %s: wait for the answer to another request: %w", t.spec, context.Cause(ctx))
	}
	if f.err != nil {
		return nil, f.err
	}
	if r.Trace != nil {
		r.Trace.Step("cache: miss, answered together with another request")
	}
	return f.answer.apply(r)
}
