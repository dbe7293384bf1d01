package backend

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Conn is one connection to a server.
type Conn interface {
	// Alive reports whether an idle connection can be used, as far as that
	// can be told without asking the server.
	Alive() bool
	Close() error
}

// link is a connection in a pool.
type link[C Conn] struct {
	conn C
	born time.Time
	idle time.Time // when it was put back
}

// pool keeps the connections to one server. Whoever gets one must put or drop
// it; whoever gets room for one must put one or leave.
type pool[C Conn] struct {
	mu      sync.Mutex
	limits  Limits
	open    int        // connections, and room that was given for some
	idle    []*link[C] // the longest unused first
	waiting []chan *link[C]
	reaper  *time.Timer
	closed  bool
}

func (p *pool[C]) setLimits(l Limits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limits = l
}

// state says whether there are connections, and whether one more lookup would
// have to wait.
func (p *pool[C]) state() (active, crowded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open > 0, len(p.idle) == 0 && p.open >= p.limits.MaxConnections
}

func (p *pool[C]) hasIdle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle) > 0
}

// get returns a connection, or nil for room to make one. It waits until ctx is
// done. A lookup that found the server full takes no room, and does not wait
// when there is no connection to wait for.
func (p *pool[C]) get(ctx context.Context, full bool) (*link[C], error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if l := p.takeIdle(); l != nil {
		p.mu.Unlock()
		return l, nil
	}
	if full && p.open == 0 {
		p.mu.Unlock()
		return nil, ErrFull
	}
	if !full && p.open < p.limits.MaxConnections {
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	turn := make(chan *link[C], 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case l := <-turn:
		if ctx.Err() == nil {
			return l, nil
		}
		p.giveBack(l)
	case <-ctx.Done():
		p.giveUp(turn)
	}
	return nil, errBusy
}

// giveBack returns what get has returned, unused.
func (p *pool[C]) giveBack(l *link[C]) {
	if l != nil {
		p.put(l)
	} else {
		p.leave(false)
	}
}

// giveUp ends waiting. A turn that comes at the same time goes to the next one.
func (p *pool[C]) giveUp(turn chan *link[C]) {
	p.mu.Lock()
	i := slices.Index(p.waiting, turn)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		p.giveBack(<-turn)
	}
}

// takeIdle returns the connection that was used last and is still good, or nil.
// p.mu is held.
func (p *pool[C]) takeIdle() *link[C] {
	for n := len(p.idle); n > 0; n = len(p.idle) {
		l := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		if !p.expired(l) && l.conn.Alive() {
			return l
		}
		p.drop(l)
	}
	return nil
}

// expired reports whether a connection has lived long enough. p.mu is held.
func (p *pool[C]) expired(l *link[C]) bool { return time.Since(l.born) >= p.limits.Lifetime }

// drop closes a connection, which counts until it is closed. That may take a
// while, and nobody waits for it.
func (p *pool[C]) drop(l *link[C]) {
	go func() {
		l.conn.Close()
		p.leave(false)
	}()
}

// put takes a connection back, or a new one for which there was room. It goes
// to the lookup that has waited longest.
func (p *pool[C]) put(l *link[C]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.open > p.limits.MaxConnections || p.expired(l) {
		p.drop(l)
		return
	}
	if len(p.waiting) > 0 {
		p.grant(l)
		return
	}
	l.idle = time.Now()
	p.idle = append(p.idle, l)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.limits.IdleInterval, p.reap)
	}
}

// dropIdle closes the connections that are not in use.
func (p *pool[C]) dropIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.idle {
		p.drop(l)
	}
	p.idle = nil
}

// leave gives back room in which no connection was made. When the server was
// found full, the room is of no use to those who wait, as long as there is a
// connection that they can get instead.
func (p *pool[C]) leave(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	if !full || p.open == 0 {
		p.grantRoom()
	}
}

// grantRoom tells waiting lookups that they may make connections. p.mu is held.
func (p *pool[C]) grantRoom() {
	for len(p.waiting) > 0 && (p.closed || p.open < p.limits.MaxConnections) {
		p.open++
		p.grant(nil)
	}
}

func (p *pool[C]) grant(l *link[C]) {
	turn := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	turn <- l
}

// reap closes the connections that were idle for too long.
func (p *pool[C]) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].idle) >= p.limits.IdleInterval {
		p.drop(p.idle[n])
		n++
	}
	p.idle = slices.Delete(p.idle, 0, n)
	p.reaper = nil
	if len(p.idle) > 0 {
		p.reaper = time.AfterFunc(p.limits.IdleInterval-time.Since(p.idle[0].idle), p.reap)
	}
}

// close closes all connections; those in use when they are put back.
func (p *pool[C]) close() {
	p.mu.Lock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	p.dropIdle()
}
