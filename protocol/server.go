package protocol

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Defaults for ServerOptions.
const (
	// DefaultRequestTimeout is Postfix's limit (proxymap.c).
	DefaultRequestTimeout = time.Second
	// DefaultWriteTimeout is more patient than Postfix's one second: only
	// replies larger than the socket's buffer can ever wait.
	DefaultWriteTimeout = 10 * time.Second
)

// ErrInterrupted is what ReadRequest returns after Interrupt.
var ErrInterrupted = errors.New("interrupted between requests")

// ServerOptions tune a ServerConn. The zero value is good for tests.
type ServerOptions struct {
	// Name is the service's name; warnings name the peer as "<Name> socket".
	// Default: proxymap.
	Name string

	// Warn receives one line, without "warning: ", for each malformed
	// request, in Postfix's wording. Bytes from the client that cannot be
	// printed are replaced by '?'. Default: none.
	Warn func(string)

	// RequestTimeout is how long a client may take from the first to the last
	// byte of a request. It does not run between requests. Negative: no limit.
	// Default: DefaultRequestTimeout.
	RequestTimeout time.Duration

	// WriteTimeout is how long a client may take to accept a reply, give or take
	// a sixteenth. Negative: no limit. Default: DefaultWriteTimeout.
	WriteTimeout time.Duration

	// DefaultDialect is the form of a BAD reply when neither the request nor
	// an earlier request of the connection tells it. Default: Dialect37, the
	// form that most clients in the field understand.
	DefaultDialect Dialect
}

// BadRequest is the error of ReadRequest for a request that is malformed. The
// warning has been given. The Request has its Kind and Dialect (those that the
// request resembles), so that WriteReply sends the form that Postfix sends.
//
// It is valid until the next call of ReadRequest.
type BadRequest struct {
	// Reason is the text of the warning, or what would have been warned about.
	Reason string

	// NoReply: say nothing to the client, as Postfix does when a list does not
	// begin with a request. Otherwise answer with Reply.
	NoReply bool

	// Reply is the answer: StatusBad and nothing else.
	Reply Reply

	// Hangup: close the connection after the reply; the rest of the request
	// did not come. Otherwise the connection can be used further, and the next
	// ReadRequest skips what remains of this request.
	Hangup bool
}

// Error returns the reason.
func (e *BadRequest) Error() string { return "bad request: " + e.Reason }

// ServerConn is the server's side of one connection. All methods but Interrupt
// are for one goroutine.
type ServerConn struct {
	rw         io.ReadWriter
	opt        ServerOptions
	scan       scanner
	out        []byte
	names      map[string]string // table names seen, to save their copies
	badRequest BadRequest
	skip       skipState
	last       Dialect // of the last request that told it

	readDeadline  interface{ SetReadDeadline(time.Time) error }
	writeDeadline interface{ SetWriteDeadline(time.Time) error }
	waiter        interface{ WaitReadable() error }
	armed         bool      // the read deadline of this request is set
	writeUntil    time.Time // the write deadline that is set

	mu          sync.Mutex
	idle        bool // waiting for the first byte of a request
	interrupted bool
}

// NewServerConn makes the server's side of a connection. If rw has
// SetReadDeadline and SetWriteDeadline (net.Conn does), they enforce the time
// limits; otherwise there are none. If it has WaitReadable, which returns when a
// Read would not wait, no memory is kept for requests of a client who is quiet.
func NewServerConn(rw io.ReadWriter, opt ServerOptions) *ServerConn {
	if opt.Name == "" {
		opt.Name = "proxymap"
	}
	if opt.Warn == nil {
		opt.Warn = func(string) {}
	}
	if opt.RequestTimeout == 0 {
		opt.RequestTimeout = DefaultRequestTimeout
	}
	if opt.WriteTimeout == 0 {
		opt.WriteTimeout = DefaultWriteTimeout
	}
	if opt.DefaultDialect == DialectUnknown {
		opt.DefaultDialect = Dialect37
	}
	c := &ServerConn{rw: rw, opt: opt}
	c.readDeadline, _ = rw.(interface{ SetReadDeadline(time.Time) error })
	c.writeDeadline, _ = rw.(interface{ SetWriteDeadline(time.Time) error })
	c.waiter, _ = rw.(interface{ WaitReadable() error })
	c.scan.r = requestReader{c}
	return c
}

// Announce sends the protocol announcement of Postfix 3.6 and later. It is for
// the start of a connection, before the first ReadRequest.
func (c *ServerConn) Announce() error {
	return c.write("announcement", AppendAnnouncement(c.out[:0]))
}

// WriteReply answers q, which came from ReadRequest. On ErrNUL nothing has
// been sent and another reply can be; on any other error the connection is of
// no more use.
func (c *ServerConn) WriteReply(q *Request, r *Reply) error {
	b, err := AppendReply(c.out[:0], q, r)
	if err != nil {
		return fmt.Errorf("reply to %s: %w", q.Kind, err)
	}
	return c.write("reply", b)
}

// limitWrite sets the deadline of a write that begins. To set one takes longer
// than to write a reply, so that it is moved in steps of a sixteenth.
func (c *ServerConn) limitWrite() {
	if c.writeDeadline == nil || c.opt.WriteTimeout <= 0 {
		return
	}
	if now := time.Now(); c.writeUntil.Sub(now) < c.opt.WriteTimeout {
		c.writeUntil = now.Add(c.opt.WriteTimeout + c.opt.WriteTimeout/16)
		// A descriptor without deadlines is not worth refusing service for.
		_ = c.writeDeadline.SetWriteDeadline(c.writeUntil)
	}
}

func (c *ServerConn) write(what string, b []byte) error {
	c.out = b[:0]
	if cap(b) > keepSize {
		c.out = nil
	}
	c.limitWrite()
	if _, err := c.rw.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// Interrupt makes a ReadRequest that waits for the beginning of a request, now
// or later, return ErrInterrupted. A request that has begun to arrive or has
// arrived is still returned. It can be called from any goroutine and works if
// the connection has deadlines.
func (c *ServerConn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if c.idle && c.readDeadline != nil {
		_ = c.readDeadline.SetReadDeadline(time.Unix(1, 0))
	}
}

// waitFirst returns when at least one byte of a request is buffered.
func (c *ServerConn) waitFirst() error {
	if len(c.scan.buffered()) > 0 {
		return nil
	}
	c.disarm()
	c.mu.Lock()
	if c.interrupted {
		c.mu.Unlock()
		return ErrInterrupted
	}
	c.idle = true
	c.mu.Unlock()

	err := c.fillFirst()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = false
	if !c.interrupted {
		return err
	}
	if err != nil {
		return ErrInterrupted
	}
	// A request came at the same moment: read it without Interrupt's deadline.
	if c.readDeadline != nil {
		_ = c.readDeadline.SetReadDeadline(time.Time{})
	}
	return nil
}

// fillFirst reads the beginning of a request. A client that sends none for a
// while shall not have a buffer.
func (c *ServerConn) fillFirst() error {
	if c.waiter != nil {
		c.scan.release()
		if err := c.waiter.WaitReadable(); err != nil {
			return err
		}
	}
	return c.scan.fill()
}

// requestReader reads from the client and starts the clock of a request at the
// first read that is not the wait for its first byte.
type requestReader struct{ c *ServerConn }

func (r requestReader) Read(p []byte) (int, error) {
	c := r.c
	if !c.idle && !c.armed {
		c.arm()
	}
	return c.rw.Read(p)
}

func (c *ServerConn) arm() {
	if c.readDeadline == nil || c.opt.RequestTimeout < 0 {
		return
	}
	c.armed = true
	_ = c.readDeadline.SetReadDeadline(time.Now().Add(c.opt.RequestTimeout))
}

func (c *ServerConn) disarm() {
	if c.armed {
		c.armed = false
		_ = c.readDeadline.SetReadDeadline(time.Time{})
	}
}
