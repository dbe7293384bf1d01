package pagetree

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/proxymapd/proxymapd/maptypes"
)

// attempts is how often a read is tried while the file changes under it. Each
// attempt takes microseconds, and a commit at least one write to the disk.
const attempts = 100

// File reads one file. Its methods may be called by several goroutines at
// once.
type File struct {
	src    *os.File
	fd     int
	format Format
	views  sync.Pool
	state  atomic.Pointer[state] // the last one seen, or nil
	metas  metas
}

// NewFile returns a File that reads src, which remains the caller's.
func NewFile(src *os.File, format Format) *File {
	return &File{src: src, fd: int(src.Fd()), format: format}
}

// Close gives back what reading took. The file that is read remains open.
func (f *File) Close() error { return f.metas.close() }

// Get appends the value of key to dst. Errors: maptypes.ErrNotFound, ErrDamaged
// or one of reading.
func (f *File) Get(key, dst []byte) ([]byte, error) {
	v := f.view()
	defer f.views.Put(v)
	start := len(dst)
	err := errChanged
	for try := 0; try < attempts && err == errChanged; try++ {
		dst, err = v.get(key, dst[:start])
		err = v.confirm(err)
	}
	return dst, err
}

// Next appends the key and the value of the entry that follows the entry of
// key, or of the first entry if key is nil, to dst; size is the size of the
// key. If exact is set and there is no entry of key, there is no next one
// either. Errors as for Get.
func (f *File) Next(key []byte, exact bool, dst []byte) (both []byte, size int, err error) {
	v := f.view()
	defer f.views.Put(v)
	start := len(dst)
	err = errChanged
	for try := 0; try < attempts && err == errChanged; try++ {
		dst, size, err = v.next(key, exact, dst[:start])
		err = v.confirm(err)
	}
	return dst, size, err
}

// Snapshot returns the last committed state.
func (f *File) Snapshot() (Snapshot, error) { return f.format.Snapshot(f.src, new(Buffer)) }

var errChanged = maptypes.Retryf("the database changes all the time")

// view returns a view, which refers to no state of the file yet.
func (f *File) view() *View {
	v, _ := f.views.Get().(*View)
	if v == nil {
		v = &View{src: f.src, format: f.format, file: f}
	}
	return v
}

// begin makes the view one of the last known state; confirm finds out whether it
// was the last one.
func (v *View) begin() (Root, error) {
	v.fromFile, v.loaded = false, [MaxDepth]uint64{}
	v.state = v.file.state.Load()
	if v.state != nil {
		v.Snapshot = v.state.snapshot
		return v.state.root, nil
	}
	st, err := v.newState()
	if err != nil {
		return Root{}, err
	}
	v.state = st
	v.file.state.Store(st)
	return st.root, nil
}

// confirm returns errChanged if the file has changed since the view's state, and
// err if not. A view of a state that is gone may have shown anything.
func (v *View) confirm(err error) error {
	if v.state == nil {
		return err // there is no state that could be read
	}
	if v.unchanged() {
		if v.fromFile && (err == nil || err == maptypes.ErrNotFound) {
			v.keepLoaded()
		}
		return err
	}
	v.file.state.CompareAndSwap(v.state, nil)
	return errChanged
}

func (v *View) get(key, dst []byte) ([]byte, error) {
	root, err := v.begin()
	if err != nil {
		return dst, err
	}
	e, found, err := v.Find(root, key)
	if err != nil {
		return dst, err
	}
	if !found {
		return dst, maptypes.ErrNotFound
	}
	return v.AppendValue(dst, &e)
}

func (v *View) next(key []byte, exact bool, dst []byte) (both []byte, size int, err error) {
	root, err := v.begin()
	if err != nil {
		return dst, 0, err
	}
	if exact && key != nil {
		_, found, err := v.Find(root, key)
		if err != nil {
			return dst, 0, err
		}
		if !found {
			return dst, 0, maptypes.ErrNotFound
		}
	}
	e, found, err := v.After(root, key)
	if err != nil {
		return dst, 0, err
	}
	if !found {
		return dst, 0, maptypes.ErrNotFound
	}
	dst = append(dst, e.Key...)
	size = len(e.Key)
	dst, err = v.AppendValue(dst, &e)
	return dst, size, err
}
