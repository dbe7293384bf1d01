package backend

import (
	"context"
	"slices"
	"time"
)

// Conn is one connection to a server.
type Conn interface {
	// Alive reports whether an idle connection can be used, as far as that
	// can be told without asking the server.
	Alive() bool
	Close() error
}

// Sharer is a Conn that several lookups may use at once: it sends a query while
// the answers to others are still to come. It is shared when no other connection
// can be had.
type Sharer interface {
	Conn
	// Room reports whether one more lookup does well to use the connection,
	// rather than wait for one that is free. It does not block.
	Room() bool
}

// link is a connection in a pool.
type link[C Conn] struct {
	conn  C
	born  time.Time
	idle  time.Time // when it was put back
	users int       // lookups that use it
	gone  bool      // it is closed, or will be
}

// user is a table that uses a pool.
type user[C Conn] struct {
	inUse   int // connections that its lookups use, and room that they were given
	waiting []chan *link[C]
}

// pool keeps the connections to one server. Whoever gets one must put or drop
// it; whoever gets room for one must put one or leave.
type pool[C Conn] struct {
	budget *budget // its lock is held where p is said to be locked
	limits Limits
	open   int        // connections, and room that was given for some
	idle   []*link[C] // the longest unused first
	shared []*link[C] // those in use that are Sharers
	users  []*user[C] // all tables; the last one that was served comes last
	full   bool       // while room is distributed: the server takes no more
	reaper *time.Timer
	closed bool
}

func (p *pool[C]) lock()   { p.budget.mu.Lock() }
func (p *pool[C]) unlock() { p.budget.mu.Unlock() }

func (p *pool[C]) setLimits(l Limits) {
	p.lock()
	defer p.unlock()
	p.limits = l
}

// state says whether there are connections, and whether one more lookup would
// have to wait.
func (p *pool[C]) state() (active, crowded bool) {
	p.lock()
	defer p.unlock()
	return p.open > 0, len(p.idle) == 0 && (p.open >= p.limits.MaxConnections || p.spent())
}

func (p *pool[C]) hasIdle() bool {
	p.lock()
	defer p.unlock()
	return len(p.idle) > 0
}

// take returns an idle connection, or nil.
func (p *pool[C]) take(u *user[C]) *link[C] {
	p.lock()
	defer p.unlock()
	if p.closed || !p.may(u) {
		return nil
	}
	return p.takeIdle(u)
}

// get returns a connection, or nil for room to make one. It waits until ctx is
// done. A lookup that found the server full takes no room, and does not wait
// when there is no connection to wait for.
func (p *pool[C]) get(ctx context.Context, u *user[C], full bool) (*link[C], error) {
	p.lock()
	l, room, err := p.available(u, full)
	if l != nil || room || err != nil {
		p.unlock()
		return l, err
	}
	why := errBusy
	if p.open < p.limits.MaxConnections && p.spent() {
		why = errSpent
	}
	turn := make(chan *link[C], 1)
	u.waiting = append(u.waiting, turn)
	p.unlock()
	select {
	case l := <-turn:
		if ctx.Err() == nil {
			return l, nil
		}
		p.giveBack(l, u)
	case <-ctx.Done():
		p.giveUp(turn, u)
	}
	return nil, why
}

// available returns what a lookup can have without waiting: a connection, or
// room for one. p is locked.
func (p *pool[C]) available(u *user[C], full bool) (l *link[C], room bool, err error) {
	if p.closed {
		return nil, false, errClosed
	}
	may := p.may(u)
	if may {
		if l := p.takeIdle(u); l != nil {
			return l, false, nil
		}
	}
	if full && p.open == 0 {
		return nil, false, ErrFull
	}
	if may && !full && p.open < p.limits.MaxConnections {
		if !p.spent() {
			p.takeRoom(u)
			return nil, true, nil
		}
		p.budget.reclaim(p)
	}
	return p.takeShared(u), false, nil
}

// may reports whether a table may use one more connection. Of those that are
// left, tables that use none have one each, so that no table's lookups wait for
// those of another that is slow; but no more than a quarter is kept for
// tables that may not need them. p is locked.
func (p *pool[C]) may(u *user[C]) bool {
	if u.inUse == 0 {
		return true
	}
	kept := 0
	for _, other := range p.users {
		if other.inUse == 0 {
			kept++
		}
	}
	kept = min(kept, p.limits.MaxConnections/4)
	return kept == 0 || p.limits.MaxConnections-(p.open-len(p.idle)) > kept
}

// spent reports whether the process has no room for one more connection to this
// server. p is locked.
func (p *pool[C]) spent() bool { return p.budget.spent(p.open > 0) }

// takeRoom counts a connection that is to be made. p is locked.
func (p *pool[C]) takeRoom(u *user[C]) {
	u.inUse++
	p.open++
	p.budget.open++
	p.budget.served(p)
}

// giveBack returns what get has returned, unused.
func (p *pool[C]) giveBack(l *link[C], u *user[C]) {
	if l != nil {
		p.put(l, u)
	} else {
		p.leave(u, false)
	}
}

// giveUp ends waiting. A turn that comes at the same time goes to the next one.
func (p *pool[C]) giveUp(turn chan *link[C], u *user[C]) {
	p.lock()
	i := slices.Index(u.waiting, turn)
	if i >= 0 {
		u.waiting = slices.Delete(u.waiting, i, i+1)
	}
	p.unlock()
	if i < 0 {
		p.giveBack(<-turn, u)
	}
}

// takeIdle returns the connection that was used last and is still good, or nil.
// p is locked.
func (p *pool[C]) takeIdle(u *user[C]) *link[C] {
	for n := len(p.idle); n > 0; n = len(p.idle) {
		l := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		if !p.expired(l) && l.conn.Alive() {
			p.use(l, u)
			return l
		}
		p.discard(l)
	}
	return nil
}

// takeShared returns the connection with the fewest users of those that have
// room for one more, or nil. p is locked.
func (p *pool[C]) takeShared(u *user[C]) *link[C] {
	var best *link[C]
	for _, l := range p.shared {
		if (best == nil || l.users < best.users) && p.hasRoom(l) {
			best = l
		}
	}
	if best != nil {
		p.use(best, u)
	}
	return best
}

// hasRoom reports whether a connection that is in use has room for one more
// lookup. p is locked.
func (p *pool[C]) hasRoom(l *link[C]) bool {
	s, ok := any(l.conn).(Sharer)
	return ok && !l.gone && !p.expired(l) && s.Room()
}

// use counts one more user of a connection. p is locked.
func (p *pool[C]) use(l *link[C], u *user[C]) {
	u.inUse++
	p.began(l)
}

// began is use of a connection for which there was room already.
func (p *pool[C]) began(l *link[C]) {
	if l.users++; l.users > 1 {
		return
	}
	if _, ok := any(l.conn).(Sharer); ok {
		p.shared = append(p.shared, l)
	}
}

// made takes in a connection that was made in the room for one.
func (p *pool[C]) made(conn C) *link[C] {
	p.lock()
	defer p.unlock()
	l := &link[C]{conn: conn, born: time.Now()}
	p.began(l)
	return l
}

// release counts one user less. p is locked.
func (p *pool[C]) release(l *link[C], u *user[C]) {
	u.inUse--
	if l.users--; l.users == 0 {
		p.unshare(l)
	}
}

func (p *pool[C]) unshare(l *link[C]) {
	if i := slices.Index(p.shared, l); i >= 0 {
		p.shared = slices.Delete(p.shared, i, i+1)
	}
}

// expired reports whether a connection has lived long enough. p is locked.
func (p *pool[C]) expired(l *link[C]) bool { return time.Since(l.born) >= p.limits.Lifetime }

// drop closes a connection that has failed. Others that use it get an error.
func (p *pool[C]) drop(l *link[C], u *user[C]) {
	p.lock()
	defer p.unlock()
	p.release(l, u)
	p.discard(l)
}

// discard closes a connection, which counts until it is closed. That may take a
// while, and nobody waits for it. p is locked.
func (p *pool[C]) discard(l *link[C]) {
	if l.gone {
		return
	}
	l.gone = true
	p.unshare(l)
	p.budget.closing++
	go func() {
		l.conn.Close()
		p.lock()
		defer p.unlock()
		p.budget.closing--
		p.left()
	}()
}

// put takes a connection back, or a new one for which there was room. It goes
// to the lookup that has waited longest.
func (p *pool[C]) put(l *link[C], u *user[C]) {
	p.lock()
	defer p.unlock()
	p.release(l, u)
	if l.gone {
		return
	}
	if p.closed || p.open > p.limits.MaxConnections || p.expired(l) || p.yields() {
		if l.users == 0 {
			p.discard(l)
		}
		return
	}
	if next := p.neediest(l.users > 0); next != nil && (l.users == 0 || p.hasRoom(l)) {
		p.grant(l, next)
		return
	}
	if l.users > 0 {
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
	p.lock()
	defer p.unlock()
	for _, l := range p.idle {
		p.discard(l)
	}
	p.idle = nil
}

// leave gives back room in which no connection was made. When the server was
// found full, the room is of no use to those who wait, as long as there is a
// connection that they can get instead.
func (p *pool[C]) leave(u *user[C], full bool) {
	p.lock()
	defer p.unlock()
	u.inUse--
	p.full = full && p.open > 1
	p.left()
	p.full = false
}

// left counts one connection less. p is locked.
func (p *pool[C]) left() {
	p.open--
	p.budget.open--
	if p.closed {
		p.dismiss()
	}
	p.budget.distribute(p)
}

// dismiss has those who wait for a pool that is closed find that out. p is
// locked.
func (p *pool[C]) dismiss() {
	for _, u := range slices.Clone(p.users) {
		for len(u.waiting) > 0 {
			p.takeRoom(u)
			p.grant(nil, u)
		}
	}
}

// grantRoom is that of member.
func (p *pool[C]) grantRoom() {
	u := p.neediest(false)
	p.takeRoom(u)
	p.grant(nil, u)
}

// counts is that of member.
func (p *pool[C]) counts() (open, idle int, wants bool) {
	wants = !p.full && !p.closed && p.open < p.limits.MaxConnections && p.neediest(false) != nil
	return p.open, len(p.idle), wants
}

// neediest returns the table that uses the fewest connections of those whose
// lookups wait and may have one, or a share of one that is in use, or nil. p is
// locked.
func (p *pool[C]) neediest(share bool) (best *user[C]) {
	for _, u := range p.users {
		if len(u.waiting) > 0 && (best == nil || u.inUse < best.inUse) && (share || p.may(u)) {
			best = u
		}
	}
	return best
}

// yields reports whether a connection that nobody uses now goes to another
// server's tables. p is locked.
func (p *pool[C]) yields() bool {
	return p.spent() && p.budget.yields(p, p.open, p.neediest(false) == nil)
}

// dropOldest is that of member.
func (p *pool[C]) dropOldest() {
	l := p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	p.discard(l)
}

// grant ends the waiting of a table's oldest lookup. p is locked.
func (p *pool[C]) grant(l *link[C], u *user[C]) {
	if l != nil {
		p.use(l, u)
	}
	turn := u.waiting[0]
	u.waiting = slices.Delete(u.waiting, 0, 1)
	if i := slices.Index(p.users, u); i >= 0 && i < len(p.users)-1 {
		p.users = append(slices.Delete(p.users, i, i+1), u)
	}
	turn <- l
}

// join adds a table.
func (p *pool[C]) join() *user[C] {
	p.lock()
	defer p.unlock()
	u := &user[C]{}
	p.users = append(p.users, u)
	return u
}

// part removes a table. Its lookups go on.
func (p *pool[C]) part(u *user[C]) {
	p.lock()
	defer p.unlock()
	if len(u.waiting) == 0 {
		p.users = slices.DeleteFunc(p.users, func(other *user[C]) bool { return other == u })
	}
}

// reap closes the connections that were idle for too long.
func (p *pool[C]) reap() {
	p.lock()
	defer p.unlock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].idle) >= p.limits.IdleInterval {
		p.discard(p.idle[n])
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
	p.lock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.unlock()
	p.dropIdle()
	p.budget.remove(p)
}
