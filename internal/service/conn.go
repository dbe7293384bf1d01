package service

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a client's connection as Serve sees it. It limits how long a Read or a Write may wait, and keeps account of
// what is going on for the watchdog.
type conn struct {
	net.Conn
	timeout  time.Duration // ipc_timeout; 0: none
	leaving  func() bool   // the worker ends: see Read
	answered func()        // called after the first Write that follows a Read

	raw      syscall.RawConn // see WaitReadable; nil before its first call
	readable func(fd uintptr) bool
	asked    bool // readable has been called

	parks   bool                      // WaitReadable may return errQuiet
	first   time.Duration             // it does so when a new client is quiet for this long
	after   time.Duration             // and another
	next    func(ctx context.Context) // what goes on when the client is not quiet any more
	fd      int32                     // while it is parked
	since   time.Time                 // when it was parked
	expired bool                      // has been parked for ipc_timeout

	waiting atomic.Bool   // in Read: it is the client's turn
	ops     atomic.Uint64 // Reads and Writes that have ended
	hasRead atomic.Bool
	said    atomic.Bool // answered has been called

	mu    sync.Mutex // makes the default deadline and Serve's own one a decision
	read  deadline
	write deadline
}

// deadline is that of one direction of a connection.
type deadline struct {
	served time.Time // what Serve has set; zero: ipc_timeout from each Read or Write
	until  time.Time // what was set for ipc_timeout last
}

// extend sets the deadline of a Read or Write that begins. Setting one takes longer than to read a request, so that
// it is moved in steps, and the limit exceeded by a sixteenth at most.
//
// It reports whether there is such a deadline, and the time.
func (d *deadline) extend(timeout time.Duration, set func(time.Time) error) (ours bool, now time.Time) {
	if !d.served.IsZero() || timeout <= 0 {
		return false, now
	}
	if now = time.Now(); d.until.Sub(now) < timeout {
		d.until = now.Add(timeout + timeout/16)
		_ = set(d.until) // not every descriptor has deadlines
	}
	return true, now
}

// serve sets the deadline that Serve wants.
func (d *deadline) serve(t time.Time, timeout time.Duration, set func(time.Time) error) error {
	*d = deadline{served: t}
	if t.IsZero() && timeout > 0 {
		d.until = time.Now().Add(timeout)
		t = d.until
	}
	return set(t)
}

// Read reads from the client. When the worker has to end and Serve has set a deadline to interrupt a Read, what the
// client has sent by then is still returned: it would otherwise be lost, and the client would see a reset.
func (c *conn) Read(p []byte) (int, error) {
	c.waiting.Store(true)
	n, err := c.readBefore(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && c.leaving() {
		if late := readNow(c.Conn, p); late > 0 {
			n, err = late, nil
		}
	}
	c.waiting.Store(false)
	c.ops.Add(1)
	if n > 0 {
		c.hasRead.Store(true)
	}
	return n, err
}

// readBefore reads until the deadline. Ours is set in steps, so that a quiet client is noticed: see WaitReadable.
func (c *conn) readBefore(p []byte) (int, error) {
	var began time.Time
	for {
		ours, now := c.extendRead(c.step())
		if began.IsZero() {
			began = now
		}
		n, err := c.Conn.Read(p)
		if !ours || !errors.Is(err, os.ErrDeadlineExceeded) || c.leaving() || c.timeout > 0 && time.Since(began) >= c.timeout {
			return n, err
		}
	}
}

// step is how far ahead our own deadline is, 0 for no deadline.
func (c *conn) step() time.Duration {
	if c.parks && (c.timeout <= 0 || c.timeout > c.after) {
		return c.after
	}
	return c.timeout
}

// extendRead sets our own deadline for reading, unless Serve has set one.
func (c *conn) extendRead(step time.Duration) (ours bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read.extend(step, c.Conn.SetReadDeadline)
}

// WaitReadable returns when a Read would not wait, or with the error that it would have. For a client that sends
// nothing for a while the error has a method Quiet that returns true: see Resume.
func (c *conn) WaitReadable() error {
	if c.raw == nil && !c.openRaw() {
		return nil
	}
	if c.expired {
		return os.ErrDeadlineExceeded
	}
	step := c.step()
	quiet := c.parks && step != c.timeout
	if quiet && c.first > 0 {
		step, c.first = c.first, 0
	}
	ours, _ := c.extendRead(step)
	c.waiting.Store(true)
	c.asked = false
	err := c.raw.Read(c.readable)
	c.waiting.Store(false)
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.leaving():
		return nil // Read knows better
	case quiet && ours:
		return errQuiet
	}
	return err
}

// Resume has Serve, when it returns, go on as soon as the client is not quiet any more, by calling next. Until then the
// connection takes no goroutine. It is for clients of whom WaitReadable has said that they are quiet.
func (c *conn) Resume(next func(ctx context.Context)) { c.next = next }

// control calls f with the descriptor.
func (c *conn) control(f func(fd uintptr) error) error {
	var failed error
	err := c.raw.Control(func(fd uintptr) { failed = f(fd) })
	return errors.Join(err, failed)
}

// openRaw reports whether one can wait for the descriptor of the connection.
func (c *conn) openRaw() bool {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	c.raw = raw
	c.readable = func(fd uintptr) bool {
		if c.asked {
			return true // the system has said that something has come
		}
		c.asked = true
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds[:], 0)
		return n > 0 || err != nil
	}
	return true
}

// Write writes to the client.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.write.extend(c.timeout, c.Conn.SetWriteDeadline)
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	c.ops.Add(1)
	if err == nil && !c.said.Load() && c.hasRead.Load() && c.said.CompareAndSwap(false, true) {
		c.answered()
	}
	return n, err
}

// SetDeadline sets both deadlines. The zero time means ipc_timeout for each Read and Write.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline sets the deadline of Reads. The zero time means ipc_timeout for each one.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read.serve(t, c.step(), c.Conn.SetReadDeadline)
}

// SetWriteDeadline sets the deadline of Writes. The zero time means ipc_timeout for each one.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write.serve(t, c.timeout, c.Conn.SetWriteDeadline)
}

// NetConn returns the connection below, as tls.Conn's method does: for the peer's credentials, not for reading.
func (c *conn) NetConn() net.Conn { return c.Conn }

// readNow reads what has arrived, whatever the deadline is.
func readNow(from net.Conn, p []byte) int {
	sc, ok := from.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	_ = raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), p) }) // non-blocking: -1 when there is nothing
	return max(n, 0)
}
