package backend

import (
	"sync/atomic"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// maxLookups is how many lookups of one table may be in progress unless the table
// says otherwise: what 16 connections answer within lookup_timeout when each
// answer takes 80 ms. Each lookup holds a client's goroutine and buffers.
const maxLookups = 1000

// inFlight counts the lookups in progress of one table.
type inFlight struct {
	count atomic.Int64
	said  atomic.Int64 // when the log was last told that there are too many, in seconds
}

// begin counts a lookup in, unless there are as many as there may be.
func (f *inFlight) begin(limit int) bool {
	if limit <= 0 {
		limit = maxLookups
	}
	if f.count.Add(1) > int64(limit) {
		f.count.Add(-1)
		return false
	}
	return true
}

func (f *inFlight) end() { f.count.Add(-1) }

// news reports whether the log is to be told, which is so once in a second.
func (f *inFlight) news() bool {
	now, said := time.Now().Unix(), f.said.Load()
	return now != said && f.said.CompareAndSwap(said, now)
}

// tooMany is the answer to a lookup beyond the limit. It does not wait: its turn
// would hardly come in time, and what waits takes memory from other tables.
func (h *Hosts[C]) tooMany() error {
	if !h.lookups.news() {
		return maptypes.ErrRetry
	}
	return maptypes.Retryf("%s: too many lookups in progress (max_lookups)", h.table)
}
