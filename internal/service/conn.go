package service

import (
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
func (d *deadline) extend(timeout time.Duration, set func(time.Time) error) {
	if !d.served.IsZero() || timeout <= 0 {
		return
	}
	if now := time.Now(); d.until.Sub(now) < timeout {
		d.until = now.Add(timeout + timeout/16)
		_ = set(d.until) // not every descriptor has deadlines
	}
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
	c.mu.Lock()
	c.read.extend(c.timeout, c.Conn.SetReadDeadline)
	c.mu.Unlock()
	c.waiting.Store(true)
	n, err := c.Conn.Read(p)
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

// WaitReadable returns when a Read would not wait, or with the error that it would have.
func (c *conn) WaitReadable() error {
	if c.raw == nil && !c.openRaw() {
		return nil
	}
	c.mu.Lock()
	c.read.extend(c.timeout, c.Conn.SetReadDeadline)
	c.mu.Unlock()
	c.waiting.Store(true)
	c.asked = false
	err := c.raw.Read(c.readable)
	c.waiting.Store(false)
	if errors.Is(err, os.ErrDeadlineExceeded) && c.leaving() {
		return nil // Read knows better
	}
	return err
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
	return c.read.serve(t, c.timeout, c.Conn.SetReadDeadline)
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
