package maptypes

import (
	"syscall"
	"time"
	"unsafe"
)

// racyWindow is how long after a file's last change a second change could go
// unseen because the clock of the file system stands still between two ticks
// (10 ms on the slowest kernels). A file read within it is read again later.
const racyWindow = 50 * time.Millisecond

// stamp is the identity of one file at one time.
type stamp struct {
	path    *byte // NUL-terminated
	missing bool
	dev     uint64
	ino     uint64
	size    int64
	mtime   syscall.Timespec
	ctime   syscall.Timespec
}

// newStamp returns the stamp of the file as it is now.
func newStamp(path string) (stamp, error) {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return stamp{}, err
	}
	s := stamp{path: p}
	s.read()
	return s, nil
}

// read fills in the stamp from the file. It allocates nothing.
func (s *stamp) read() {
	var st syscall.Stat_t
	_, _, errno := syscall.Syscall6(sysFstatat, uintptr(atFDCWD),
		uintptr(unsafe.Pointer(s.path)), uintptr(unsafe.Pointer(&st)), 0, 0, 0)
	s.missing = errno != 0
	if s.missing {
		st = syscall.Stat_t{}
	}
	s.dev, s.ino, s.size, s.mtime, s.ctime = st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim
}

// atFDCWD makes a path relative to the working directory (fstatat(2)).
var atFDCWD = -100

// watch is the state of the files that an instance was read from.
type watch struct {
	files        []stamp
	replacedOnly bool
	taken        time.Time // when reading the table began
}

// newWatch returns the state of the files as they are now.
func newWatch(paths []string, replacedOnly bool) watch {
	w := watch{replacedOnly: replacedOnly, taken: time.Now()}
	for _, path := range paths {
		if s, err := newStamp(path); err == nil {
			w.files = append(w.files, s)
		}
	}
	return w
}

// changed reports whether a file is no longer what it was.
func (w *watch) changed() bool {
	for i := range w.files {
		was := &w.files[i]
		now := stamp{path: was.path}
		now.read()
		if now.missing != was.missing || now.dev != was.dev || now.ino != was.ino {
			return true
		}
		if w.replacedOnly {
			continue
		}
		if now.size != was.size || now.mtime != was.mtime || now.ctime != was.ctime {
			return true
		}
		if w.racy(was) {
			return true
		}
	}
	return false
}

// racy reports whether the file was read so soon after its last change, or
// changed while it was read, that what was read may be old, and enough time has
// passed to read it again.
func (w *watch) racy(was *stamp) bool {
	if was.missing || time.Since(w.taken) <= racyWindow {
		return false
	}
	ctime := time.Unix(was.ctime.Unix())
	// A time in the future is a clock that was set back, and tells nothing.
	return ctime.After(w.taken.Add(-racyWindow)) && ctime.Before(time.Now())
}

// same reports whether both states show the same files.
func (w *watch) same(o *watch) bool {
	if len(w.files) != len(o.files) {
		return false
	}
	for i := range w.files {
		a, b := w.files[i], o.files[i]
		a.path, b.path = nil, nil
		if a != b {
			return false
		}
	}
	return true
}
