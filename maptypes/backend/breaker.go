package backend

import (
	"sync"
	"time"
)

// A server that is down is asked again after the retry interval. When no other
// server is up there is nothing to lose, and it is tried after this pause, or
// after probeShare times what the last attempt took, if that is longer.
const (
	probePause = time.Second
	probeShare = 4
)

// breaker remembers that a server is down, so that lookups need not find out
// one by one.
type breaker struct {
	mu       sync.Mutex
	failures int           // attempts to connect that failed since the last that did not
	since    time.Time     // when the last one failed
	took     time.Duration // how long it took to fail
	probing  chan struct{} // closed when the attempt to find out ends; or nil
	logged   string        // what was said last about the server
	loggedAt time.Time
}

// up reports whether lookups may use the server. A table's only server may fail
// once: it may be a load balancer with one bad server behind it.
func (b *breaker) up(tolerance int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures <= tolerance
}

// due reports whether it is time to find out if the server is up again.
func (b *breaker) due(retry time.Duration, alone bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if alone {
		retry = min(retry, max(probePause, probeShare*b.took))
	}
	return b.probing != nil || time.Since(b.since) >= retry
}

// success notes that a connection was made, and reports whether the server was
// said to be down before.
func (b *breaker) success() (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news = b.logged != ""
	b.failures, b.logged = 0, ""
	return news
}

// failure notes that no connection could be made, and reports whether that is
// to be logged: a new reason, or the old one after the retry interval.
func (b *breaker) failure(took, retry time.Duration, reason string) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	b.since, b.took = time.Now(), took
	if reason == b.logged && time.Since(b.loggedAt) < retry {
		return false
	}
	b.logged, b.loggedAt = reason, time.Now()
	return true
}

// probe runs try, unless it runs already, and returns a channel that is closed
// when it ends.
func (b *breaker) probe(try func()) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing == nil {
		done := make(chan struct{})
		b.probing = done
		go func() {
			try()
			b.mu.Lock()
			b.probing = nil
			b.mu.Unlock()
			close(done)
		}()
	}
	return b.probing
}
