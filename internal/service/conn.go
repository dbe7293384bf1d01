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

	waiting atomic.Bool   // in Read: it is the client's turn
	ops     atomic.Uint64 // Reads and Writes that have ended
	hasRead atomic.Bool
	said    atomic.Bool // answered has been called

	mu    sync.Mutex // makes the default deadline and Serve's own one a decision
	read  time.Time  // deadlines that Serve has set; zero: ours applies
	write time.Time
}

// Read reads from the client. When the worker has to end and Serve has set a deadline to interrupt a Read, what the
// client has sent by then is still returned: it would otherwise be lost, and the client would see a reset.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.read.IsZero() && c.timeout > 0 {
		_ = c.Conn.SetReadDeadline(time.Now().Add(c.timeout)) // not every descriptor has deadlines
	}
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

// Write writes to the client.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.write.IsZero() && c.timeout > 0 {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.timeout))
	}
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
	c.read = t
	if t.IsZero() && c.timeout > 0 {
		t = time.Now().Add(c.timeout)
	}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of Writes. The zero time means ipc_timeout for each one.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	if t.IsZero() && c.timeout > 0 {
		t = time.Now().Add(c.timeout)
	}
	return c.Conn.SetWriteDeadline(t)
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
