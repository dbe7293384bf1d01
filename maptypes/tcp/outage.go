package tcp

import (
	"context"
	"sync"
	"time"
)

// A lookup that finds the server gone is repeated every tryPause, until the
// server has been gone for patience: a server that is started again is back by
// then, and for one that stays away nobody has to wait longer.
const (
	tryPause = time.Second
	patience = (maxTries - 1) * tryPause
)

// outage is the time since which the server is gone.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: it is not
}

// end says that the server has answered.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Time{}
}

// wait says that the server is gone, and reports whether to ask again, after a
// pause.
func (o *outage) wait(ctx context.Context) bool {
	o.mu.Lock()
	if o.since.IsZero() {
		o.since = time.Now()
	}
	gone := time.Since(o.since)
	o.mu.Unlock()
	if gone >= patience {
		return false
	}
	pause := time.NewTimer(tryPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}
