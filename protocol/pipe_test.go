package protocol

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pipe is one direction of a connection: a socket buffer that works with the
// virtual time of testing/synctest.
type pipe struct {
	mu           sync.Mutex
	changed      sync.Cond
	data         []byte
	writerClosed bool
	readerClosed bool
	deadline     [2]time.Time // of reads, of writes
}

const pipeSize = 64 << 10

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

// wait waits until ready or the deadline of that side.
func (p *pipe) wait(side int, ready func() bool) error {
	for !ready() {
		d := p.deadline[side]
		if !d.IsZero() && !time.Now().Before(d) {
			return os.ErrDeadlineExceeded
		}
		p.changed.Wait()
	}
	return nil
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.wait(0, func() bool { return len(p.data) > 0 || p.writerClosed || p.readerClosed }); err != nil {
		return 0, err
	}
	if p.readerClosed {
		return 0, net.ErrClosed
	}
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	p.changed.Broadcast()
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for done := 0; ; {
		if p.writerClosed || p.readerClosed {
			return done, syscall.EPIPE
		}
		n := min(len(b)-done, pipeSize-len(p.data))
		p.data = append(p.data, b[done:done+n]...)
		p.changed.Broadcast()
		if done += n; done == len(b) {
			return done, nil
		}
		if err := p.wait(1, func() bool { return len(p.data) < pipeSize || p.readerClosed || p.writerClosed }); err != nil {
			return done, err
		}
	}
}

func (p *pipe) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.changed.Broadcast()
}

func (p *pipe) setDeadline(side int, t time.Time) error {
	p.set(func() { p.deadline[side] = t })
	if d := time.Until(t); !t.IsZero() && d > 0 {
		time.AfterFunc(d, func() { p.set(func() {}) })
	}
	return nil
}

// duplex is a connection whose two directions can be closed one by one.
type duplex struct{ in, out *pipe }

func newDuplex() (client, server duplex) {
	up, down := newPipe(), newPipe()
	return duplex{in: down, out: up}, duplex{in: up, out: down}
}

func (d duplex) Read(p []byte) (int, error)         { return d.in.Read(p) }
func (d duplex) Write(p []byte) (int, error)        { return d.out.Write(p) }
func (d duplex) SetReadDeadline(t time.Time) error  { return d.in.setDeadline(0, t) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.out.setDeadline(1, t) }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}
func (d duplex) LocalAddr() net.Addr  { return &net.UnixAddr{} }
func (d duplex) RemoteAddr() net.Addr { return &net.UnixAddr{} }

func (d duplex) CloseWrite() { d.out.set(func() { d.out.writerClosed = true }) }
func (d duplex) Close() error {
	d.CloseWrite()
	d.in.set(func() { d.in.readerClosed = true })
	return nil
}

// sink collects what a connection receives.
type sink struct {
	mu   sync.Mutex
	data []byte
	eof  bool
}

func (s *sink) readFrom(r io.Reader) {
	b := make([]byte, 64<<10)
	for {
		n, err := r.Read(b)
		s.mu.Lock()
		s.data = append(s.data, b[:n]...)
		s.eof = s.eof || err != nil
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// take returns what has arrived since the last take, and whether the other
// side has closed the connection.
func (s *sink) take() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := string(s.data)
	s.data = nil
	return got, s.eof
}

// serve is the shortest possible service: it answers with handle until the
// connection has ended.
func serve(t testing.TB, conn duplex, opt ServerOptions, handle func(*Request) Reply) {
	defer conn.Close()
	c := NewServerConn(conn, opt)
	if err := c.Announce(); err != nil {
		return
	}
	var q Request
	for {
		err := c.ReadRequest(&q)
		var bad *BadRequest
		var reply Reply
		switch {
		case err == nil:
			reply = handle(&q)
		case errors.As(err, &bad):
			reply = bad.Reply
		default:
			return
		}
		if bad == nil || !bad.NoReply {
			if err := c.WriteReply(&q, &reply); err != nil {
				return
			}
		}
		if bad != nil && bad.Hangup {
			return
		}
	}
}

// tables answers for the static: and inline: tables of the records.
func tables(q *Request) Reply {
	r := Reply{Status: StatusOK, Flags: 1}
	switch {
	case len(q.Table) > 1000 || q.Kind == Update || q.Kind == Delete:
		return Reply{Status: StatusDeny}
	case q.Kind == Open:
		return r
	}
	if name, ok := strings.CutPrefix(q.Table, "static:"); ok {
		r.Value = []byte(name)
		return r
	}
	list := strings.Trim(strings.TrimPrefix(q.Table, "inline:"), "{}")
	for entry := range strings.SplitSeq(list, ", ") {
		if key, value, _ := strings.Cut(entry, "="); key == string(q.Key) {
			r.Value = []byte(value)
			return r
		}
	}
	r.Status = StatusNoKey
	return r
}

// visible shows NULs as the vectors' README does.
func visible(s string) string {
	s = strings.ReplaceAll(s, "\x00", "~")
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return s
}

func wire(s string) []byte { return bytes.ReplaceAll([]byte(s), []byte("~"), []byte{0}) }
