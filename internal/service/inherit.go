package service

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is what the worker needs of a listening socket.
type listener interface {
	Accept() (net.Conn, error)
	// SetDeadline with a time in the past makes Accept, now and later, fail with os.ErrDeadlineExceeded without taking
	// a client from the queue.
	SetDeadline(time.Time) error
	// Pending reports whether a client is in the queue.
	Pending() bool
}

// inherit takes over the descriptors that the master has left for us.
func inherit(opt Options) (*master, []listener, error) {
	switch strings.ToLower(opt.Transport) {
	case "":
		return nil, nil, errors.New("no transport type specified")
	case "unix", "inet":
	default:
		return nil, nil, fmt.Errorf("unsupported transport type: %s", opt.Transport)
	}
	m, err := newMaster()
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range []int{flowReadFD, flowWriteFD, statusFD} {
		unix.CloseOnExec(fd)
	}
	var listeners []listener
	for fd := listenFD; fd < listenFD+opt.Sockets; fd++ {
		l, err := newInherited(fd)
		if err != nil {
			return nil, nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
		listeners = append(listeners, l)
	}
	return m, listeners, nil
}

// inherited is a listening socket that other processes accept from, too. It is non-blocking, so that the one who comes
// too late does not hang.
type inherited struct {
	net.Listener
	setDeadline func(time.Time) error
	raw         syscall.RawConn
}

// netListener is what *net.UnixListener and *net.TCPListener have in common.
type netListener interface {
	net.Listener
	SetDeadline(time.Time) error
	SyscallConn() (syscall.RawConn, error)
}

// newInherited takes over a descriptor. It is checked first: when a worker is started by hand, the descriptor may be
// one of the runtime's own.
func newInherited(fd int) (*inherited, error) {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listening == 0 {
		return nil, errors.New("not a listening socket from master(8)")
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // FileListener duplicates the descriptor
	unknown, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	l, ok := unknown.(netListener)
	if !ok {
		return nil, fmt.Errorf("unsupported kind of socket %s", unknown.Addr().Network())
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &inherited{Listener: l, setDeadline: l.SetDeadline, raw: raw}, nil
}

func (l *inherited) SetDeadline(t time.Time) error { return l.setDeadline(t) }

func (l *inherited) Pending() bool {
	var n int
	err := l.raw.Control(func(fd uintptr) {
		n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	})
	return err == nil && n > 0
}
