package backend

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Hosts are the servers of one table. All of them have the same content.
type Hosts[C Conn] struct {
	// InOrder says that the list of servers is in order of preference: a
	// later one is asked only while those before it are down or have all
	// their connections in use. It is set before the first Do.
	InOrder bool

	servers []*server[C]
	users   map[*server[C]]*user[C] // what the table has of each
	lookups inFlight
	shared  *Shared[C]
	limits  Limits
	log     Log
	table   string
}

// Join returns the servers of the table called "type:name". Connections are
// made when they are needed.
func (sh *Shared[C]) Join(table string, servers []Server[C], limits Limits, log Log) *Hosts[C] {
	sh.limit(limits.AllConnections)
	h := &Hosts[C]{shared: sh, limits: limits, log: log, table: table, users: map[*server[C]]*user[C]{}}
	for _, s := range servers {
		joined := sh.join(h, s)
		h.servers = append(h.servers, joined)
		h.users[joined] = joined.users[h].user
	}
	return h
}

// Close leaves the servers to the other tables.
func (h *Hosts[C]) Close() {
	for _, s := range h.servers {
		h.shared.part(h, s)
	}
}

// Do calls ask with a connection to one of the servers, and with another one as
// long as ask returns an error made by Lost and there is a server to try. An
// error of Do that is not ask's has class ErrRetry; it is ErrRetry itself, with
// no text, when what happened is in the log already.
func (h *Hosts[C]) Do(ctx context.Context, ask func(ctx context.Context, conn C) error) error {
	if !h.lookups.begin(h.limits.MaxLookups) {
		return h.tooMany()
	}
	defer h.lookups.end()
	lookup, cancel := context.WithTimeout(ctx, h.limits.LookupTimeout)
	defer cancel()
	var failed error
	candidates := h.candidates()
	if t := maptypes.TraceOf(ctx); t != nil {
		h.explainDown(t)
	}
	for len(candidates) > 0 {
		s := candidates[0]
		candidates = candidates[1:]
		again := len(h.servers) == 1 && failed == nil
		err := h.ask(lookup, s, len(candidates) > 0 || again, ask)
		if err == nil || !IsLost(err) {
			return err
		}
		failed = err
		if lookup.Err() != nil {
			break
		}
		if again && s.usable(h) {
			candidates = append(candidates, s)
		}
	}
	if lookup.Err() == nil {
		if s := h.wake(lookup); s != nil {
			if failed = h.ask(lookup, s, false, ask); failed == nil || !IsLost(failed) {
				return failed
			}
		}
	}
	return h.explain(ctx, failed)
}

// explain turns the last loss into what Do returns.
func (h *Hosts[C]) explain(ctx context.Context, failed error) error {
	var dial *dialError
	switch {
	case ctx.Err() != nil || failed == nil || errors.As(failed, &dial) && dial.logged():
		return maptypes.ErrRetry
	case dial != nil:
		return maptypes.Retryf("%s: connect to %s: %w", h.table, h.log.server(dial.server), dial.err)
	}
	return maptypes.Retryf("%s: query failed: %w", h.table, failed.(*lostError).err)
}

// dialError says that there was no connection to a server for a lookup.
type dialError struct {
	server string
	err    error
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// logged reports whether the attempt to connect has logged what went wrong.
func (e *dialError) logged() bool {
	return e.err != errBusy && e.err != errSpent && e.err != errLate && !errors.Is(e.err, ErrFull)
}

// ask is try, with a trace if there is one.
func (h *Hosts[C]) ask(ctx context.Context, s *server[C], more bool, ask func(context.Context, C) error) error {
	if t := maptypes.TraceOf(ctx); t != nil {
		return h.explained(ctx, t, s, more, ask)
	}
	return h.try(ctx, s, more, ask)
}

// try asks one server. The error is made by Lost when another server, or the
// same one on another connection, may do better.
func (h *Hosts[C]) try(ctx context.Context, s *server[C], more bool, ask func(context.Context, C) error) error {
	var l *link[C]
	var fresh bool
	var err error
	connecting := ctx
	if l = s.pool.take(h.users[s]); l != nil {
		explainConnection(ctx, true, nil)
	} else {
		var cancel context.CancelFunc
		connecting, cancel = h.share(ctx, more)
		defer cancel()
		l, fresh, err = s.get(connecting, h)
	}
	for {
		if err != nil {
			return Lost(&dialError{s.Name, err})
		}
		err = ask(ctx, l.conn)
		if !IsLost(err) {
			s.pool.put(l, h.users[s])
			return err
		}
		s.pool.drop(l, h.users[s])
		if ctx.Err() == context.Canceled {
			return maptypes.ErrRetry // the requestor has gone
		}
		// What is wrong with this connection is probably wrong with all
		// that are as old: the server has been restarted, or is stuck.
		s.pool.dropIdle()
		if ctx.Err() != nil {
			return maptypes.Retryf("%s: query failed: no answer from %s within %v (lookup_timeout)",
				h.table, h.log.server(s.Name), h.limits.LookupTimeout)
		}
		if fresh {
			return err
		}
		fresh = true
		if l, err = s.pool.get(connecting, h.users[s], false); l == nil && err == nil {
			l, err = s.connectFor(connecting, h)
			explainNew(ctx, err)
		}
	}
}

// share limits the time to get a connection to one server when there are more
// to try.
func (h *Hosts[C]) share(ctx context.Context, more bool) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !more || !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// tolerance is how many failures do not make a server of this table down.
func (h *Hosts[C]) tolerance() int {
	if len(h.servers) == 1 {
		return 1
	}
	return 0
}

// candidates returns the servers that are up, in the order in which to ask
// them: first those with connections, and of those and the others first the ones
// with UNIX sockets; in random order otherwise. Last come servers whose
// connections are all in use. With InOrder it is the order of the list, except
// for the latter. Servers that are down and were so for long enough are looked
// after meanwhile.
func (h *Hosts[C]) candidates() []*server[C] {
	if len(h.servers) == 1 && h.servers[0].usable(h) {
		return h.servers[:1:1]
	}
	type ranked struct {
		server *server[C]
		rank   int
	}
	var up []ranked
	var due []*server[C]
	for _, s := range h.servers {
		if !s.usable(h) {
			if s.breaker.due(h.limits.RetryInterval, false) {
				due = append(due, s)
			}
			continue
		}
		r := ranked{server: s}
		active, crowded := s.pool.state()
		for i, later := range []bool{!h.InOrder && !s.Unix, !h.InOrder && !active, crowded} {
			if later {
				r.rank |= 1 << i
			}
		}
		up = append(up, r)
	}
	if len(up) > 0 {
		for _, s := range due {
			s.probe(h)
		}
	}
	if !h.InOrder {
		rand.Shuffle(len(up), func(i, j int) { up[i], up[j] = up[j], up[i] })
	}
	slices.SortStableFunc(up, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	list := make([]*server[C], len(up))
	for i := range up {
		list[i] = up[i].server
	}
	return list
}

// wake looks, when no server is up, whether one of them is again, and returns
// it. Between two attempts of that kind lookups do not wait.
func (h *Hosts[C]) wake(ctx context.Context) *server[C] {
	list := slices.Clone(h.servers)
	if !h.InOrder {
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		slices.SortStableFunc(list, func(a, b *server[C]) int { return unixFirst(a.Unix, b.Unix) })
	}
	for _, s := range list {
		if s.usable(h) || !s.breaker.due(h.limits.RetryInterval, true) {
			continue
		}
		select {
		case <-s.probe(h):
		case <-ctx.Done():
			return nil
		}
		if s.usable(h) {
			return s
		}
	}
	return nil
}

func unixFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
