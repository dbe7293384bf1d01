package redis

import (
	"bytes"
	"errors"
	"net"
	"syscall"
)

// Limits of one reply. The library makes room for what a length says before it
// arrives, and follows nested arrays by recursion.
const (
	maxReply   = 8 << 20  // bytes of a reply, and of a string in it
	maxLine    = 64 << 10 // bytes of a line, which is a short value or a length
	maxPending = 1 << 18  // values that are announced and not there yet
	maxArrays  = 1 << 16  // arrays in a reply
)

// errReply is the error of a reply that no Redis server sends, or that is too
// large to be an answer.
var errReply = errors.New("bad reply, or one that is too large")

// errFull is the error of a server that takes no more clients, in its words.
var errFull = errors.New("ERR max number of clients reached")

// guard is a connection on which the lengths in replies are checked before the
// library sees them. It is used by one goroutine at a time.
type guard struct {
	net.Conn
	scan scanner
	read bool // something was read
}

// Read reads from the connection. After errReply nothing more is read.
func (g *guard) Read(p []byte) (int, error) {
	if g.scan.bad {
		return 0, errReply
	}
	n, err := g.Conn.Read(p)
	if !g.scan.feed(p[:n]) {
		return 0, errReply
	}
	if !g.read && refused(p[:n]) {
		return 0, errFull
	}
	g.read = g.read || n > 0
	return n, err
}

// Write writes to the connection. A server that takes no more clients says so,
// and closes the connection, before it has read anything.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	if !g.read && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
		var buf [256]byte
		if n, _ := g.Conn.Read(buf[:]); refused(buf[:n]) {
			err = errFull
		}
	}
	return n, err
}

// refused reports whether the first reply of a server is that it takes no more
// clients. The library would take it for the answer to its first request.
func refused(reply []byte) bool { return bytes.HasPrefix(reply, []byte("-"+errFull.Error())) }

// scanner follows a stream of replies in the protocol RESP2 (redis.io: "Redis
// serialization protocol specification").
type scanner struct {
	skip    int  // bytes of a string, with its end of line, that are still to come
	inLine  bool // a line has begun
	kind    byte // its first byte
	number  int  // the length in it; negative for none
	digits  int  // bytes of the line after the first
	minus   bool
	pending int // values that complete the reply
	bytes   int // of the reply so far
	arrays  int
	bad     bool
}

// feed takes in the next bytes, and reports whether they may be passed on.
func (s *scanner) feed(p []byte) bool {
	for len(p) > 0 && !s.bad {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			if s.skip == 0 {
				s.value(0)
			}
			continue
		}
		s.byte(p[0])
		p = p[1:]
	}
	return !s.bad
}

// byte takes in one byte of a line.
func (s *scanner) byte(c byte) {
	if s.pending == 0 {
		s.pending, s.bytes, s.arrays = 1, 0, 0
	}
	s.bytes++
	switch {
	case !s.inLine:
		s.inLine, s.kind, s.number, s.digits, s.minus = true, c, 0, 0, false
		s.bad = s.bad || c != '+' && c != '-' && c != ':' && c != '$' && c != '*'
	case c == '\n':
		s.inLine = false
		s.line()
	default:
		s.digits++
		s.bad = s.bad || s.digits > maxLine
		if s.kind == '$' || s.kind == '*' {
			s.digit(c)
		}
	}
	s.bad = s.bad || s.bytes > maxReply
}

// digit takes in a byte of a length.
func (s *scanner) digit(c byte) {
	switch {
	case c == '\r':
	case c == '-' && s.digits == 1:
		s.minus = true
	case c >= '0' && c <= '9' && s.digits < 12:
		s.number = s.number*10 + int(c-'0')
	default:
		s.bad = true
	}
}

// line ends a line. A negative length stands for no value.
func (s *scanner) line() {
	switch {
	case s.kind == '$' && !s.minus:
		s.skip = s.number + len("\r\n")
		s.bytes += s.skip
		s.bad = s.bad || s.bytes > maxReply
	case s.kind == '*' && !s.minus:
		s.arrays++
		s.value(s.number)
		s.bad = s.bad || s.arrays > maxArrays || s.pending > maxPending
	default:
		s.value(0)
	}
}

// value notes that a value is there, and how many more it announces.
func (s *scanner) value(more int) { s.pending += more - 1 }
