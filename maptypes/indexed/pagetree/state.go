package pagetree

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxKept is the size in bytes of the pages that are kept in memory for each
// table, and keptForBranches how much of it leaves may not take.
const (
	maxKept         = 16 << 20
	keptForBranches = 1 << 20
)

// settled is how old the last change of a file must be so that its time tells
// one change from the next: file systems take the time from a clock that ticks
// every 10 ms at worst.
const settled = 50 * time.Millisecond

// state is a committed state of the file. As long as it is the last one, its
// pages do not change, so that they can be kept in memory.
type state struct {
	snapshot Snapshot
	root     Root
	stamp    stamp
	certain  bool // an equal stamp proves that the file has not changed

	metas  []byte       // the meta pages, or nil if they are not known
	looked atomic.Int64 // when the stamp was last seen, since processStart

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
	metas := v.file.metas.read(v.file.fd, v.PageSize)
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
	st := &state{snapshot: v.Snapshot, root: root, stamp: stamp, certain: certain, pages: map[uint64][]byte{}}
	if v.file.metas.equal(metas, v.PageSize) {
		st.metas = metas
	}
	return st, nil
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
	now := time.Since(processStart)
	if !v.fromFile && v.unchangedInMemory(now) {
		return true
	}
	stamp, _, err := v.stamp()
	if err != nil || st.certain && stamp == st.stamp {
		st.looked.Store(int64(now))
		return err == nil
	}
	if st.certain {
		return false
	}
	// The file has changed a moment before the state was read: its time does
	// not tell. The pages that are kept are of no use then.
	snapshot, err := v.format.Snapshot(v.src, &v.meta)
	if err != nil || snapshot != st.snapshot {
		return false
	}
	v.file.state.CompareAndSwap(st, nil)
	return true
}

// unchangedInMemory is unchanged for a view of pages that are all kept. Every
// commit shows in the meta pages. A file that was overwritten by something else
// shows in its stamp, at which many lookups look together: until then they are
// answered from the state before.
func (v *View) unchangedInMemory(now time.Duration) bool {
	st := v.state
	looked := time.Duration(st.looked.Load())
	return st.certain && looked != 0 && now-looked < lookInterval && v.file.metas.equal(st.metas, st.snapshot.PageSize)
}

// lookInterval is how long a stamp stands for the present one.
const lookInterval = time.Millisecond

// processStart is what times of looks count from.
var processStart = time.Now()

// kept returns the page id if it is in memory.
func (st *state) kept(id uint64) []byte {
	if st == nil {
		return nil
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.pages[id]
}

// keepLoaded keeps the pages that were read, after these turned out to be of the
// view's state.
func (v *View) keepLoaded() {
	for level, id := range v.loaded {
		if id == 0 {
			continue
		}
		page := v.pages[level][:v.PageSize]
		room := maxKept
		if n, err := v.format.Parse(page); err != nil || n.Leaf {
			room -= keptForBranches
		}
		v.state.keep(id, page, room)
	}
}

// keep keeps a copy of a page, if there is room.
func (st *state) keep(id uint64, page []byte, room int) {
	if !st.certain {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.pages[id] == nil && st.bytes+len(page) <= room {
		st.pages[id] = bytes.Clone(page)
		st.bytes += len(page)
	}
}
