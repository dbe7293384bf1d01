package backend

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Log is where a table's lookups say what happens to their servers. Both
// functions take one line.
type Log struct {
	// Name is the type as the lines have it: "connect to mysql server ...".
	Name string
	// Noun stands for "server" in the lines, for a type that has files instead.
	Noun  string
	Infof func(format string, args ...any)
	Warnf func(format string, args ...any)
}

// server is what the lines call a server.
func (l *Log) server(name string) string {
	noun := l.Noun
	if noun == "" {
		noun = "server"
	}
	return l.Name + " " + noun + " " + name
}

// Server describes one server of a table.
type Server[C Conn] struct {
	// Key tells connections apart that must not be shared: address, user,
	// password, database and all else that Dial depends on. It is never
	// logged.
	Key string
	// Name is what log lines call the server.
	Name string
	// Unix is set when the server is reached over a UNIX socket. Those are
	// asked before others.
	Unix bool
	// Dial makes a connection that is ready for queries.
	Dial func(ctx context.Context) (C, error)
}

// server is one server with its connections, shared by all tables.
type server[C Conn] struct {
	Server[C]
	pool    pool[C]
	breaker breaker
	users   map[*Hosts[C]]*membership[C]
	open    context.Context // until the last table is closed
	shut    context.CancelFunc
}

// membership is one table's part in a server.
type membership[C Conn] struct {
	times int // that the table lists the server
	*user[C]
}

// Shared holds the servers of one type that the tables of this process use. The
// zero value is ready.
type Shared[C Conn] struct {
	// Local says that these are no connections to servers, but to files, say:
	// the limit of the process does not count them.
	Local bool

	mu      sync.Mutex
	servers map[string]*server[C]
	budget  *budget // nil before the first Join
}

// limit sets the limit of all connections of this process.
func (sh *Shared[C]) limit(n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case sh.budget != nil:
	case sh.Local:
		sh.budget = new(budget)
	default:
		sh.budget = &worker
	}
	if !sh.Local {
		sh.budget.setLimit(n)
	}
}

// join adds a table to the users of a server.
func (sh *Shared[C]) join(h *Hosts[C], s Server[C]) *server[C] {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.servers == nil {
		sh.servers = map[string]*server[C]{}
	}
	joined := sh.servers[s.Key]
	if joined == nil {
		joined = &server[C]{Server: s, users: map[*Hosts[C]]*membership[C]{}}
		joined.pool.budget = sh.budget
		sh.budget.add(&joined.pool)
		joined.open, joined.shut = context.WithCancel(context.Background())
		sh.servers[s.Key] = joined
	}
	if joined.users[h] == nil {
		joined.users[h] = &membership[C]{user: joined.pool.join()}
	}
	joined.users[h].times++
	joined.settle()
	return joined
}

// part removes a table from the users of a server. The last one closes it.
func (sh *Shared[C]) part(h *Hosts[C], s *server[C]) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	m := s.users[h]
	if m.times--; m.times > 0 {
		return
	}
	delete(s.users, h)
	s.pool.part(m.user)
	if len(s.users) == 0 {
		delete(sh.servers, s.Key)
		s.shut()
		s.pool.close()
		return
	}
	s.settle()
}

// settle makes the strictest limits of the users those of the pool.
func (s *server[C]) settle() {
	var limits Limits
	first := true
	for h := range s.users {
		if first {
			limits, first = h.limits.strictest(h.limits), false
		} else {
			limits = limits.strictest(h.limits)
		}
	}
	s.pool.setLimits(limits)
}

// connect makes a connection in the room that the pool has given.
func (s *server[C]) connect(u *user[C], timeout, retry time.Duration, log *Log) (*link[C], error) {
	ctx, cancel := context.WithTimeout(s.open, timeout)
	defer cancel()
	start := time.Now()
	conn, err := s.Dial(ctx)
	switch {
	case err == nil:
		if s.breaker.success() {
			log.Infof("%s is available again", log.server(s.Name))
		}
		return s.pool.made(conn), nil
	case errors.Is(err, ErrFull):
		s.pool.leave(u, true)
		return nil, err
	case s.open.Err() != nil:
		s.pool.leave(u, false)
		return nil, errClosed
	case ctx.Err() != nil:
		err = errSlow
	}
	if s.breaker.failure(time.Since(start), retry, err.Error()) {
		log.Warnf("connect to %s: %v", log.server(s.Name), err)
	}
	s.pool.leave(u, false)
	return nil, err
}

// made is the outcome of connect.
type made[C Conn] struct {
	link *link[C]
	err  error
}

// connectFor is connect for a lookup that has only until ctx is done. The
// attempt goes on without it, for the next one: a server that is slow to connect
// to would never be reached otherwise.
func (s *server[C]) connectFor(ctx context.Context, h *Hosts[C]) (*link[C], error) {
	u := h.users[s]
	result := make(chan made[C], 1)
	go func() {
		l, err := s.connect(u, h.limits.LookupTimeout, h.limits.RetryInterval, &h.log)
		result <- made[C]{l, err}
	}()
	select {
	case m := <-result:
		return m.link, m.err
	case <-ctx.Done():
	}
	go func() {
		if m := <-result; m.link != nil {
			s.pool.put(m.link, u)
		}
	}()
	return nil, errLate
}

// get returns a connection and whether it is a new one.
func (s *server[C]) get(ctx context.Context, h *Hosts[C]) (l *link[C], fresh bool, err error) {
	var full error
	for {
		l, err = s.pool.get(ctx, h.users[s], full != nil)
		if err == ErrFull {
			err = full // in the server's words
		}
		explainConnection(ctx, l != nil, err)
		if l != nil || err != nil {
			return l, false, err
		}
		l, err = s.connectFor(ctx, h)
		explainNew(ctx, err)
		if !errors.Is(err, ErrFull) {
			return l, true, err
		}
		full = err
	}
}

// usable reports whether lookups of a table may use the server: it is up, or
// there are connections that still work.
func (s *server[C]) usable(h *Hosts[C]) bool { return s.breaker.up(h.tolerance()) || s.pool.hasIdle() }

// probe finds out whether the server is up again. The connection is kept.
func (s *server[C]) probe(h *Hosts[C]) <-chan struct{} {
	return s.breaker.probe(func() {
		ctx, cancel := context.WithTimeout(context.Background(), probePause)
		defer cancel()
		u := h.users[s]
		l, err := s.pool.get(ctx, u, false)
		if l == nil && err == nil {
			l, _ = s.connect(u, h.limits.LookupTimeout/2, h.limits.RetryInterval, &h.log)
		}
		if l != nil {
			s.pool.put(l, u)
		}
	})
}
