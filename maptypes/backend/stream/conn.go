package stream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// What happens to an exchange.
var (
	// ErrDisconnected says that the server has closed the connection.
	ErrDisconnected = errors.New("unexpected disconnect")
	// ErrTimeout says that the server did not answer in time.
	ErrTimeout = errors.New("time limit exceeded")
	// ErrTooLong says that a reply is longer than it may be.
	ErrTooLong = errors.New("input exceeds size limit")
)

// Conn is a connection on which one exchange takes place after the other. It is
// a backend.Conn, and is used by one goroutine at a time.
type Conn struct {
	conn   net.Conn
	reader *bufio.Reader
	used   bool
	closed bool
}

// NewConn returns a Conn that uses c.
func NewConn(c net.Conn) *Conn { return &Conn{conn: c, reader: bufio.NewReader(c)} }

// Used reports whether there was an exchange before. A server may have closed
// such a connection since, which is no fault.
func (c *Conn) Used() bool { return c.used }

// Exchange sends a request and has read read the reply. The connection is of no
// more use after an error, which is ErrDisconnected, ErrTimeout when the deadline
// of ctx has passed, context.Canceled, or read's own.
func (c *Conn) Exchange(ctx context.Context, request []byte, read func(*bufio.Reader) error) error {
	if c.closed {
		return ErrDisconnected
	}
	if err := ctx.Err(); err != nil {
		return expired(ctx)
	}
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		c.Close()
		return ErrDisconnected
	}
	interrupt := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) }) // fails only when closed
	_, err := c.conn.Write(request)
	if err == nil {
		err = read(c.reader)
	}
	// What comes after a reply answers nothing, and must not answer the next
	// request. An interrupt under way would hit the next request, too.
	if undisturbed := interrupt(); err != nil || !undisturbed || c.reader.Buffered() > 0 {
		c.Close()
	}
	c.used = true
	return classify(ctx, err)
}

// classify turns the errors of connections into ours.
func classify(ctx context.Context, err error) error {
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return expired(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.As(err, &op):
		return ErrDisconnected
	}
	return err
}

func expired(ctx context.Context) error {
	if ctx.Err() == context.Canceled {
		return context.Canceled
	}
	return ErrTimeout
}

// Alive reports whether the connection can be used: it is open, and the server
// has neither closed it nor sent anything since the last reply.
func (c *Conn) Alive() bool {
	return !c.closed && backend.Silent(c.conn)
}

// Close ends the connection.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	return c.conn.Close()
}

// ReadLine appends a line to dst, without its newline. A line of more than limit
// bytes, newline included, is ErrTooLong.
func ReadLine(r *bufio.Reader, dst []byte, limit int) ([]byte, error) {
	start := len(dst)
	for {
		part, err := r.ReadSlice('\n')
		if room := limit - (len(dst) - start); len(part) > room || len(part) == room && err == bufio.ErrBufferFull {
			return dst, ErrTooLong
		}
		dst = append(dst, part...)
		switch {
		case err == nil:
			return dst[:len(dst)-1], nil
		case err != bufio.ErrBufferFull:
			return dst, err
		}
	}
}

// ReadData appends n bytes to dst. Room is made as they arrive.
func ReadData(r *bufio.Reader, dst []byte, n int) ([]byte, error) {
	const step = 64 << 10
	for n > 0 {
		have := len(dst)
		part := min(n, step)
		dst = append(dst, make([]byte, part)...)
		if _, err := io.ReadFull(r, dst[have:]); err != nil {
			return dst[:have], err
		}
		n -= part
	}
	return dst, nil
}
