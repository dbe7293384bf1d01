package bdbmap

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// Limits of the lock that readers share.
const (
	// maxHold is how long readers that follow one another keep the lock
	// before they let a writer have it.
	maxHold = 20 * time.Millisecond
	// letWriter is the pause in which a waiting writer gets the lock.
	letWriter = 200 * time.Microsecond
	// lockTimeout is how long a request waits while somebody else has the
	// file locked: postmap(1) for as long as it makes the table anew.
	lockTimeout = 30 * time.Second
)

// sharedLock is a shared flock(2) lock of one open file: the readers of this
// process hold it together, because for the system there is only one.
type sharedLock struct {
	file *os.File
	fd   int
	turn chan struct{} // holds one token while a goroutine gets the lock

	mu      sync.Mutex
	readers int
	since   time.Time     // when the first reader got the lock
	free    chan struct{} // if not nil, closed when the last reader has gone
}

func newSharedLock(f *os.File) *sharedLock {
	return &sharedLock{file: f, fd: int(f.Fd()), turn: make(chan struct{}, 1)}
}

// lock waits for the lock, until ctx is done or for lockTimeout.
func (l *sharedLock) lock(ctx context.Context) error {
	if joined, _ := l.join(); joined {
		return nil
	}
	select {
	case l.turn <- struct{}{}:
	default:
		// Most likely somebody else gets the lock for all.
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-l.turn }()
	joined, free := l.join()
	if joined {
		return nil
	}
	if free != nil {
		select {
		case <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		time.Sleep(letWriter)
	}
	if err := l.obtain(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	l.readers, l.since = 1, time.Now()
	l.mu.Unlock()
	return nil
}

// obtain gets the lock from the system.
func (l *sharedLock) obtain(ctx context.Context) error {
	if unix.Flock(l.fd, unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	return indexed.LockFlockShared(ctx, l.file)
}

// join makes the caller one of the present readers, unless there are none or
// they have had the lock for long. Then free is closed when they have gone.
func (l *sharedLock) join() (joined bool, free chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers == 0 {
		return false, nil
	}
	if time.Since(l.since) > maxHold {
		if l.free == nil {
			l.free = make(chan struct{})
		}
		return false, l.free
	}
	l.readers++
	return true, nil
}

// unlock ends one reader's use of the lock.
func (l *sharedLock) unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers--; l.readers > 0 {
		return
	}
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
	// This cannot fail, and closing the file would do it too.
	unix.Flock(l.fd, unix.LOCK_UN)
}
