package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// stream is a client's connection.
type stream struct {
	conn     net.Conn
	scan     scanner
	out      []byte
	replies  int // complete replies so far
	begun    bool
	lastUsed time.Time
	idle     *time.Timer
	ttl      *time.Timer
}

// Read counts as the beginning of a reply.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.begun = s.begun || n > 0
	return n, err
}

// exchange sends a request and reads its reply, connecting if need be. After an
// error the connection is in an unknown state.
func (c *Client) exchange(ctx context.Context, q *Request) (Reply, Dialect, error) {
	if err := c.connect(ctx); err != nil {
		return Reply{}, DialectUnknown, err
	}
	s := c.stream
	s.begun = false
	s.out, _ = AppendRequest(s.out[:0], q) // Do has checked it
	if cap(s.out) > keepSize {
		defer func() { s.out = nil }()
	}
	_ = s.conn.SetDeadline(time.Now().Add(c.opt.Timeout))
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	r, form, err := s.roundTrip(q.Kind)
	if !stop() || err == nil && len(s.scan.buffered()) > 0 {
		// Either the deadline is spoilt or the server says more than was asked.
		if err == nil {
			c.disconnect()
			return r, form, nil
		}
	}
	if err == nil {
		s.replies++
		s.lastUsed = time.Now()
		s.idle.Reset(c.opt.IdleLimit)
	}
	return r, form, err
}

// roundTrip sends s.out. The announcement is not waited for: servers older than
// 3.6 send none.
func (s *stream) roundTrip(k Kind) (Reply, Dialect, error) {
	if _, err := s.conn.Write(s.out); err != nil {
		return Reply{}, DialectUnknown, fmt.Errorf("send request: %w", err)
	}
	return readReply(&s.scan, k, s.replies == 0)
}

// connect makes c.stream if there is none.
func (c *Client) connect(ctx context.Context) error {
	if c.stream != nil {
		return nil
	}
	conn, err := c.opt.Dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", c.opt.Service, err)
	}
	s := &stream{conn: conn, lastUsed: time.Now()}
	s.scan.r = s
	s.idle = time.AfterFunc(c.opt.IdleLimit, func() { c.expire(s, c.opt.IdleLimit) })
	s.ttl = time.AfterFunc(c.opt.TTL, func() { c.expire(s, 0) })
	c.stream = s
	return nil
}

// expire closes s if it is still in use and has been quiet for so long.
func (c *Client) expire(s *stream, quiet time.Duration) {
	c.turn <- struct{}{}
	defer c.release()
	if c.stream == s && time.Since(s.lastUsed) >= quiet {
		c.disconnect()
	}
}

func (c *Client) disconnect() {
	if s := c.stream; s != nil {
		c.stream = nil
		s.idle.Stop()
		s.ttl.Stop()
		_ = s.conn.Close()
	}
}

// unanswered: the exchange ended with err because the server had closed the
// connection before, or instead of, answering.
func (s *stream) unanswered(err error) bool {
	gone := errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrClosedPipe)
	return gone && !s.begun
}

// stale reports whether there is something to read between two exchanges: the
// server has closed the connection (or does not keep to the protocol).
func (s *stream) stale() bool {
	sc, ok := s.conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	stale := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		stale = err != syscall.EAGAIN && err != syscall.EINTR
		return true
	})
	return stale || err != nil
}
