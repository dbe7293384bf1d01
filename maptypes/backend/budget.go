package backend

import (
	"slices"
	"sync"
)

// budget is the number of connections that several servers share: those of all
// tables of the process (proxymapd_backend_connections). Its lock is that of the
// pools, too, so that one of them can be asked to give way to another.
//
// Shares are fair by three rules. Room is kept for servers that have no connection,
// so that they need not wait for those of another that is slow. Other room goes to the server with the fewest
// connections among those that lookups wait for; and a server that has more than
// another one that waits gives up a connection when it comes back.
type budget struct {
	mu      sync.Mutex
	limit   int // 0: none
	open    int // connections, and room that was given for some
	closing int // connections that are being closed
	members []member
}

// member is a pool, as the others see it. The budget's lock is held.
type member interface {
	// counts returns how many connections there are, how many of them are
	// idle, and whether a lookup waits for one that may be made.
	counts() (open, idle int, wants bool)
	// dropOldest closes the connection that is idle for longest.
	dropOldest()
	// grantRoom lets the lookup that has waited longest make a connection.
	grantRoom()
}

// worker is the budget of this process.
var worker budget

// setLimit sets the limit, 0 for none.
func (b *budget) setLimit(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = n
	b.distribute(nil)
}

func (b *budget) add(m member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = append(b.members, m)
}

func (b *budget) remove(m member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.members, m); i >= 0 {
		b.members = slices.Delete(b.members, i, i+1)
	}
}

// spent reports whether there is no room for one more connection to a server that
// has some already, or has none. For servers that have none, no more than half of
// all is kept, since they may not need any. b.mu is held.
func (b *budget) spent(some bool) bool {
	if b.limit == 0 {
		return false
	}
	kept := 0
	if some {
		for _, m := range b.members {
			if open, _, _ := m.counts(); open == 0 {
				kept++
			}
		}
	}
	return b.limit-b.open <= min(kept, b.limit/2)
}

// reclaim closes an idle connection of another server, of which there are more
// than of any other. What it leaves is distributed when it is closed. b.mu is
// held.
func (b *budget) reclaim(except member) {
	if b.closing > 0 {
		return // there will be room
	}
	var victim member
	most := 0
	for _, m := range b.members {
		if open, idle, _ := m.counts(); m != except && idle > 0 && open > most {
			victim, most = m, open
		}
	}
	if victim != nil {
		victim.dropOldest()
	}
}

// distribute gives room to lookups that wait for it, where m has given some back.
// b.mu is held.
func (b *budget) distribute(m member) {
	if b.limit == 0 && m != nil { // it can only be for m
		for _, _, wants := m.counts(); wants; _, _, wants = m.counts() {
			m.grantRoom()
		}
		return
	}
	for m, open := b.neediest(nil); m != nil && !b.spent(open > 0); m, open = b.neediest(nil) {
		m.grantRoom()
	}
}

// neediest returns the server with the fewest connections, and how many, of
// those that lookups wait for, or nil. The last one that was served comes last
// among equals. b.mu is held.
func (b *budget) neediest(except member) (m member, fewest int) {
	for _, other := range b.members {
		if open, _, wants := other.counts(); other != except && wants && (m == nil || open < fewest) {
			m, fewest = other, open
		}
	}
	return m, fewest
}

// served puts a server behind its equals. b.mu is held.
func (b *budget) served(m member) {
	if i := slices.Index(b.members, m); i >= 0 && i < len(b.members)-1 {
		b.members = append(slices.Delete(b.members, i, i+1), m)
	}
}

// yields reports whether a server with the given number of connections, that has
// one to spare, or to use, gives it up for another one. One that has none at all
// is always served: it would wait for ever otherwise. b.mu is held.
func (b *budget) yields(m member, open int, spare bool) bool {
	if b.closing > 0 {
		return false // there will be room
	}
	other, fewest := b.neediest(m)
	return other != nil && (spare || fewest == 0 || fewest+1 < open)
}
