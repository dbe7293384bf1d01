package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long a client may be quiet before its goroutine, and with it the stack, is given back: a new client, who is
// expected to have a question, and one who has had an answer.
const (
	quietAtFirst = 100 * time.Millisecond
	quietAfter   = 5 * time.Second
)

// errQuiet is what WaitReadable returns for a quiet client: see Service.Serve.
var errQuiet error = quietError{}

type quietError struct{}

func (quietError) Error() string { return "the client is quiet" }
func (quietError) Quiet() bool   { return true }

// parking has the quiet clients, who wait without a goroutine. What they cost is their place in an epoll(7) set.
type parking struct {
	resume func(*conn) // called in a goroutine of its own, with a client who has been taken out
	file   *os.File    // the epoll set; readable when a client has sent something
	raw    syscall.RawConn

	mu     sync.Mutex
	parked map[int32]*conn // by descriptor
}

func newParking(resume func(*conn)) (*parking, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &parking{resume: resume, file: os.NewFile(uintptr(fd), "epoll"), parked: map[int32]*conn{}}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails when nothing can wait for the set
	}
	if err != nil {
		p.file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	go p.wait()
	return p, nil
}

// park takes a client in. From now on the client belongs to whoever takes it out.
func (p *parking) park(c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := c.control(func(fd uintptr) error {
		c.fd = int32(fd)
		p.parked[c.fd] = c
		return p.set(unix.EPOLL_CTL_ADD, c.fd)
	})
	if err != nil {
		delete(p.parked, c.fd)
	}
	return err
}

func (p *parking) set(operation int, fd int32) error {
	var failed error
	err := p.raw.Control(func(set uintptr) {
		failed = unix.EpollCtl(int(set), operation, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: fd})
	})
	return errors.Join(err, failed)
}

// wait takes out the clients who have sent something, until the set is closed.
func (p *parking) wait() {
	events := make([]unix.EpollEvent, 128)
	for {
		n := 0
		err := p.raw.Read(func(set uintptr) bool {
			n, _ = unix.EpollWait(int(set), events, 0)
			return n > 0
		})
		if err != nil {
			return
		}
		p.mu.Lock()
		for _, e := range events[:n] {
			if c := p.parked[e.Fd]; c != nil {
				p.takeOut(c)
			}
		}
		p.mu.Unlock()
	}
}

// takeOut takes a client out. p.mu is held.
func (p *parking) takeOut(c *conn) {
	delete(p.parked, c.fd)
	_ = p.set(unix.EPOLL_CTL_DEL, c.fd) // closing the descriptor does it, too
	go p.resume(c)
}

// takeOutIf takes out the clients of whom the condition is true.
func (p *parking) takeOutIf(condition func(*conn) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.parked {
		if condition(c) {
			p.takeOut(c)
		}
	}
}

// sweep takes out the clients who have been quiet for longer than ipc_timeout.
func (p *parking) sweep(ctx context.Context, timeout time.Duration) {
	tick := time.NewTicker(max(timeout/16, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.takeOutIf(func(c *conn) bool {
				c.expired = now.Sub(c.since) >= timeout
				return c.expired
			})
		}
	}
}

// park lets a client wait without a goroutine, and reports whether that could be done.
func (w *worker) park(c *conn) bool {
	p, err := w.openParking()
	if err != nil {
		w.log.Warnf("clients wait with a goroutine each: %v", err)
		return false
	}
	c.since = time.Now()
	c.waiting.Store(true)
	if err := p.park(c); err != nil {
		c.waiting.Store(false)
		w.log.Debugf("a client waits with a goroutine: %v", err)
		return false
	}
	if w.ctx.Err() != nil { // the others may have been taken out already
		p.takeOutIf(func(other *conn) bool { return other == c })
	}
	return true
}

// openParking makes the parking when the first client is quiet.
func (w *worker) openParking() (*parking, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parking != nil || w.ctx.Err() != nil {
		return w.parking, w.ctx.Err()
	}
	p, err := newParking(func(c *conn) {
		c.waiting.Store(false)
		w.handle(c, c.next)
	})
	if err != nil {
		return nil, err
	}
	w.parking = p
	context.AfterFunc(w.ctx, func() { p.takeOutIf(func(*conn) bool { return true }) })
	if w.ipcTimeout > 0 {
		go p.sweep(w.ctx, w.ipcTimeout)
	}
	return p, nil
}
