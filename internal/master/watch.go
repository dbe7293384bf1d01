package master

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watcher reports when a descriptor becomes readable, without reading from it:
// the workers that share a listening socket do the accepting. It reports once
// each time that it is armed, and at once when the descriptor is readable
// already.
type watcher struct {
	fd    int
	file  *os.File // owns fd
	armed chan struct{}
}

// newWatcher takes over the non-blocking descriptor fd. The function notify is
// called from a goroutine of the watcher's own.
func newWatcher(fd int, name string, notify func()) (*watcher, error) {
	file := os.NewFile(uintptr(fd), name)
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	w := &watcher{fd: fd, file: file, armed: make(chan struct{}, 1)}
	go w.wait(raw, notify)
	return w, nil
}

func (w *watcher) wait(raw syscall.RawConn, notify func()) {
	for range w.armed {
		err := raw.Read(func(fd uintptr) bool { return readable(int(fd)) })
		if err != nil {
			return // closed
		}
		notify()
	}
}

// arm asks for one report. Asking again before it has come changes nothing.
func (w *watcher) arm() {
	select {
	case w.armed <- struct{}{}:
	default:
	}
}

// close closes the descriptor. No report starts after it; one that has started
// may still be under way.
func (w *watcher) close() {
	close(w.armed)
	w.file.Close()
}

// readable says whether a read or an accept would return at once.
func readable(fd int) bool { return pollNow(fd, unix.POLLIN) }

// pollNow says whether any of the events, a hang-up or an error has happened to
// a descriptor.
func pollNow(fd int, events int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}
