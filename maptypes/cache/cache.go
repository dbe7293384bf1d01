package cache

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// overhead is what an answer costs in memory besides its key and value: about as
// much as the heap grows by, measured.
const overhead = 320

// maxRefreshes is how many answers of one table are fetched anew in the background
// at the same time.
const maxRefreshes = 16

// Cache keeps the answers of all instances of one table.
type Cache struct {
	limits Limits

	mu        sync.Mutex
	order     list.List // of *answer, the one that was used last in front
	bytes     int64
	refreshes int
	stats     Stats
}

// Stats counts what came of lookups.
type Stats struct {
	Hits      int // answered from the cache
	Misses    int // the table was asked, or another request's answer was waited for
	Stale     int // of the misses: answered from the cache because the table could not
	Refreshed int // answers that were fetched anew before they were too old
	Evicted   int // answers that were dropped for lack of room
}

// question is what answers are found by.
type question struct {
	flags maptypes.Flags // of answerFlags
	key   string
}

// answerFlags are the request flags that the answer may depend on.
const answerFlags = maptypes.FlagTry0Null | maptypes.FlagTry1Null | maptypes.FlagFixed |
	maptypes.FlagPattern | maptypes.FlagNoRegsub | maptypes.FlagNoProxy | maptypes.FlagNoUnauth |
	maptypes.FlagFoldAny | maptypes.FlagUTF8Request

// answer is a value, or "not found". All but refreshed is set once.
type answer struct {
	owner     *table
	question  question
	value     []byte
	found     bool
	set       maptypes.Flags // what the lookup changed in the request's flags
	cleared   maptypes.Flags
	version   uint64    // of the table, before it was asked
	asked     time.Time // when the table was asked
	ttl       time.Duration
	refreshed bool // somebody has begun to fetch it anew
}

func (a *answer) size() int64 { return int64(len(a.question.key)+len(a.value)) + overhead }

// fresh reports whether an answer stands for itself.
func (a *answer) fresh(now time.Time) bool { return now.Sub(a.asked) < a.ttl }

// due reports whether it is time to fetch an answer anew: in the last tenth of its life.
func (a *answer) due(now time.Time) bool {
	return !a.refreshed && now.Sub(a.asked) >= a.ttl-a.ttl/10
}

// usable reports whether a value that is too old may answer because the table
// cannot. One that was not found may be there by now, and waits.
func (a *answer) usable(now time.Time, stale time.Duration) bool {
	return a.found && now.Sub(a.asked) < a.ttl+stale
}

// store keeps an answer instead of the one to the same question, and makes room
// for it. c.mu is held, and so by the following.
func (c *Cache) store(a *answer) {
	if old := a.owner.answers[a.question]; old != nil {
		c.drop(old)
	}
	if a.owner.closed || a.ttl == 0 || a.size() > c.limits.MaxBytes {
		return
	}
	a.owner.answers[a.question] = c.order.PushFront(a)
	c.bytes += a.size()
	for c.bytes > c.limits.MaxBytes {
		c.drop(c.order.Back())
		c.stats.Evicted++
	}
}

// drop forgets an answer.
func (c *Cache) drop(e *list.Element) {
	a := c.order.Remove(e).(*answer)
	delete(a.owner.answers, a.question)
	c.bytes -= a.size()
}

// Set is the caches of a program by "type:name".
type Set struct {
	caches map[string]*Cache
}

// NewSet returns a cache for each entry.
func NewSet(entries []Entry) *Set {
	s := &Set{caches: map[string]*Cache{}}
	for _, e := range entries {
		s.caches[e.Table] = &Cache{limits: e.Limits}
	}
	return s
}

// Stats returns the counts of a table so far.
func (s *Set) Stats(table string) Stats {
	c := s.caches[table]
	if c == nil {
		return Stats{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Report writes a line with the counts of each table that was asked.
func (s *Set) Report(infof func(format string, args ...any)) {
	for name := range s.caches {
		if n := s.Stats(name); n.Hits+n.Misses > 0 {
			infof("table %s: cache: %v", name, n)
		}
	}
}

// String lists the counts.
func (s Stats) String() string {
	return fmt.Sprintf("%d hits, %d misses, %d stale, %d refreshed, %d evicted", s.Hits, s.Misses, s.Stale, s.Refreshed, s.Evicted)
}
