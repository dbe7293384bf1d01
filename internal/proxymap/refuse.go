package proxymap

import (
	"sync"
	"time"

	"github.com/proxymapd/proxymapd/internal/maillog"
)

const (
	// refusalInterval is how often the refusal of one table is logged.
	refusalInterval = time.Minute
	// maxRefusals bounds the tables whose refusal is remembered, so that a
	// client that makes names up costs a bounded amount of memory and log.
	maxRefusals = 1000
	// maxLoggedName bounds how much of a table's name is logged, in bytes.
	maxLoggedName = 4096
)

// refusals logs requests for tables that are not approved, each table once in
// refusalInterval, with the line that would approve it.
type refusals struct {
	writer bool
	warnf  func(format string, args ...any)

	mu     sync.Mutex
	start  time.Time       // of the present interval
	logged map[string]bool // tables logged in it
	silent int             // refusals that were not logged in it
}

// log notes the refusal of a table.
func (r *refusals) log(name string) {
	name = maillog.Printable(name[:min(len(name), maxLoggedName)])
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.logged == nil || now.Sub(r.start) >= refusalInterval {
		if r.silent > 0 {
			r.warnf("%d more requests for unapproved tables in the last %v", r.silent, now.Sub(r.start).Round(time.Second))
		}
		r.start, r.logged, r.silent = now, map[string]bool{}, 0
	}
	if r.logged[name] || len(r.logged) >= maxRefusals {
		r.silent++
		return
	}
	r.logged[name] = true
	access, param := "read-only", readMapsParam
	if r.writer {
		access, param = "read-write", writeMapsParam
	}
	r.warnf("request for unapproved table: \"%s\"", name)
	r.warnf("to approve this table for %s access, list %s%s in main.cf:%s", access, proxyPrefix, name, param)
}
