package sidebyside

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// load is a number of clients that each ask one request after the other. One thread serves them all with epoll(7), so
// that most of the machine is left to the worker.
type load struct {
	socket   string
	clients  int
	requests [][]byte // asked in turn by all clients together
	begin    []byte   // what every reply starts with
}

// result is what a load saw.
type result struct {
	rate float64 // replies per second
	p99  time.Duration
}

// asker is one client.
type asker struct {
	fd    int
	asked time.Time
}

// run asks for the given time. Every reply must be as expected.
func (l load) run(d time.Duration) (result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	askers, err := l.connect()
	defer closeAll(askers)
	if err != nil {
		return result{}, err
	}
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return result{}, fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(poll)
	for i, a := range askers {
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, a.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return result{}, fmt.Errorf("epoll: %w", err)
		}
	}
	return l.ask(poll, askers, d)
}

// ask is the load itself.
func (l load) ask(poll int, askers []*asker, d time.Duration) (result, error) {
	next := 0
	send := func(a *asker) error {
		request := l.requests[next%len(l.requests)]
		next++
		a.asked = time.Now()
		_, err := unix.Write(a.fd, request)
		return err
	}
	start := time.Now()
	for _, a := range askers {
		if err := send(a); err != nil {
			return result{}, err
		}
	}
	took := make([]time.Duration, 0, 1<<16)
	events := make([]unix.EpollEvent, 256)
	reply := make([]byte, 4096)
	for now := start; now.Sub(start) < d; {
		n, err := unix.EpollWait(poll, events, int(patience/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return result{}, fmt.Errorf("no reply within %v: %w", patience, err)
		}
		for _, e := range events[:n] {
			a := askers[e.Fd]
			size, err := unix.Read(a.fd, reply)
			if err != nil {
				return result{}, fmt.Errorf("read: %w", err)
			}
			if got := reply[:size]; !bytes.HasPrefix(got, l.begin) || !bytes.HasSuffix(got, []byte("\x00\x00")) {
				return result{}, fmt.Errorf("reply %q does not begin with %q", got, l.begin)
			}
			now = time.Now()
			took = append(took, now.Sub(a.asked))
			if err := send(a); err != nil {
				return result{}, fmt.Errorf("write: %w", err)
			}
		}
	}
	return result{float64(len(took)) / time.Since(start).Seconds(), percentile(took, 99)}, nil
}

func percentile(took []time.Duration, p int) time.Duration {
	slices.Sort(took)
	return took[(len(took)-1)*p/100]
}

// connect makes the clients, and opens the table with the first request.
func (l load) connect() ([]*asker, error) {
	var askers []*asker
	for range l.clients {
		fd, err := dial(l.socket)
		if err != nil {
			return askers, err
		}
		askers = append(askers, &asker{fd: fd})
	}
	return askers, nil
}

func closeAll(askers []*asker) {
	for _, a := range askers {
		unix.Close(a.fd)
	}
}

// dial connects to a service and reads its announcement.
func dial(socket string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	limit := unix.NsecToTimeval(int64(patience))
	err = errors.Join(
		again(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: socket}) }),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	if err == nil {
		err = again(func() error {
			n, err := unix.Read(fd, make([]byte, 256))
			if err == nil && n == 0 {
				return net.ErrClosed
			}
			return err
		})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", socket, err)
	}
	return fd, nil
}

// again repeats a system call that a signal interrupts.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// patience is how long a reply may take. It only delays what fails anyway.
const patience = 30 * time.Second

// lookups returns requests in the dialect that both workers know.
func lookups(table string, keys []string) [][]byte {
	var list [][]byte
	for _, key := range keys {
		list = append(list, attributes("request", "lookup", "table", table, "flags", "16448" /* LOCK, FOLD_FIX */, "key", key))
	}
	return list
}

// attributes encodes names and values as attr_print0(3) does.
func attributes(list ...string) []byte {
	var b []byte
	for _, s := range list {
		b = append(append(b, s...), 0)
	}
	return append(b, 0)
}

// The beginnings of replies.
var (
	found    = []byte("status\x000\x00")
	notFound = []byte("status\x001\x00")
)
