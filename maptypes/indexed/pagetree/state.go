package pagetree

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxKept is the size in bytes of the branch pages that are kept in memory for
// each table.
const maxKept = 1 << 20

// settled is how old the last change of a file must be so that its time tells
// one change from the next: file systems take the time from a clock that ticks
// every 10 ms at worst.
const settled = 50 * time.Millisecond

// state is a committed state of the file. As long as it is the last one, its
// pages do not change, so that the upper ones can be kept in memory.
type state struct {
	snapshot Snapshot
	root     Root
	stamp    stamp
	certain  bool // an equal stamp proves that the file has not changed

	mu    sync.RWMutex
	pages map[uint64][]byte
	bytes int
}

// stamp is the size and the time of the last change of a file.
type stamp struct {
	size         int64
	mtime, ctime unix.Timespec
}

// newState reads the last committed state.
func (v *View) newState() (*state, error) {
	stamp, certain, err := v.stamp()
	if err != nil {
		return nil, err
	}
	v.state = nil
	if v.Snapshot, err = v.format.Snapshot(v.src, &v.meta); err != nil {
		return nil, err
	}
	root, err := v.format.Tree(v)
	root.Inline = bytes.Clone(root.Inline)
	// The root may have been looked for in a state that was gone.
	again, err2 := v.format.Snapshot(v.src, &v.meta)
	if err2 == nil && again != v.Snapshot {
		return nil, errChanged
	}
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return &state{snapshot: v.Snapshot, root: root, stamp: stamp, certain: certain, pages: map[uint64][]byte{}}, nil
}

// stamp returns the present stamp of the file, and whether any later change will
// give it another.
func (v *View) stamp() (s stamp, certain bool, err error) {
	now := time.Now()
	if err := unix.Fstat(v.file.fd, &v.stat); err != nil {
		return s, false, err
	}
	s = stamp{size: v.stat.Size, mtime: v.stat.Mtim, ctime: v.stat.Ctim}
	return s, now.Sub(time.Unix(v.stat.Ctim.Unix())) > settled, nil
}

// unchanged reports whether the view's state is still the last one.
func (v *View) unchanged() bool {
	st := v.state
	stamp, _, err := v.stamp()
	if err != nil || st.certain && stamp == st.stamp {
		return err == nil
	}
	if st.certain {
		return false
	}
	// The file has changed a moment before the state was read: its time does
	// not tell. The pages that are kept are of no use then.
	now, err := v.format.Snapshot(v.src, &v.meta)
	if err != nil || now != st.snapshot {
		return false
	}
	v.file.state.CompareAndSwap(st, nil)
	return true
}

// kept returns the page id if it is in memory.
func (st *state) kept(id uint64) []byte {
	if st == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.pages[id]
}

// keep keeps a copy of a page, if there is room.
func (st *state) keep(id uint64, page []byte) {
	if st == nil || !st.certain {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.pages[id] == nil && st.bytes+len(page) <= maxKept {
		st.pages[id] = bytes.Clone(page)
		st.bytes += len(page)
	}
}
