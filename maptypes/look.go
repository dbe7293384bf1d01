package maptypes

import (
	"sync/atomic"
	"time"
)

// processStart is what times of looks count from.
var processStart = time.Now()

// changes counts the updates and deletions of all tables.
var changes atomic.Uint64

// lookAgain ends the time for which files count as unchanged. An update goes into
// the file that is there now, so that the next lookup must not read one that was
// there before.
func lookAgain() { changes.Add(1) }

// lastLook is when the files of an instance were found unchanged.
type lastLook struct {
	at      atomic.Int64  // since processStart, plus one; 0 for never
	changes atomic.Uint64 // at that time
}

// changed reports whether the files are no longer what they were, from a look of
// up to Env.LookInterval ago. A change that was seen is looked for again until there
// is an instance without it.
func (l *lastLook) changed(w *watch, interval time.Duration) bool {
	if interval <= 0 {
		return w.changed()
	}
	now, count := int64(time.Since(processStart))+1, changes.Load()
	if at := l.at.Load(); at != 0 && now-at < int64(interval) && now >= at && l.changes.Load() == count {
		return false
	}
	if w.changed() {
		return true
	}
	l.changes.Store(count)
	l.at.Store(now)
	return false
}
