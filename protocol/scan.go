package protocol

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Limits on what a peer may send. Postfix has none; they are generous enough
// for anything that it or its administrator can produce, and a connection's
// memory grows with what has arrived, not with what is announced.
const (
	// MaxName is the longest attribute name, in bytes without the NUL.
	MaxName = 64 << 10
	// MaxValue is the longest attribute value, in bytes without the NUL.
	MaxValue = 2 << 20
	// MaxList is the longest attribute list that is kept, in bytes.
	MaxList = 5 << 20
)

const (
	// bufferSize is enough for most requests.
	bufferSize = 4096
	// keepSize is the largest buffer that is kept for the next list.
	keepSize = 64 << 10
	// compactBelow is the free space under which unread bytes move to the
	// front of the buffer before the next read.
	compactBelow = 512
)

// buffers are the first buffers of scanners that wait.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

var errTooLong = errors.New("string too long")

// span is a string in a scanner's buffer, relative to the start of the list.
type span struct{ start, end int }

// scanner cuts a byte stream into NUL-terminated strings. It keeps the strings
// of one list together in its buffer, so that they need not be copied.
type scanner struct {
	r    io.Reader
	buf  []byte
	base int // start of the list
	end  int // end of what has been read
	pos  int // next string, relative to base
}

// begin forgets the strings that were returned so far.
func (s *scanner) begin() {
	s.base += s.pos
	s.pos = 0
	if s.base < s.end {
		return
	}
	s.base, s.end = 0, 0
	if len(s.buf) > keepSize {
		s.buf = nil
	}
}

// release gives the buffer away until something is read. Nothing is buffered, and
// no string of the last list is used any more.
func (s *scanner) release() {
	s.begin()
	if len(s.buf) == bufferSize {
		buffers.Put((*[bufferSize]byte)(s.buf))
	}
	s.buf = nil
}

// buffered returns what has been read and not been returned as a string.
func (s *scanner) buffered() []byte {
	return s.buf[s.base+s.pos : s.end]
}

// discard drops n buffered bytes; they remain part of the list.
func (s *scanner) discard(n int) {
	s.pos += n
}

// bytes returns the text of a string. It is good until begin or, if strings
// are still being read, until the next call of next.
func (s *scanner) bytes(p span) []byte {
	return s.buf[s.base+p.start : s.base+p.end : s.base+p.end]
}

// next returns the next string without its NUL. It fails with errTooLong when
// the string has more than limit bytes or the list more than MaxList, else
// with the error of the reader; what there is of the string stays buffered.
func (s *scanner) next(limit int) (span, error) {
	seen := s.pos
	for {
		i := bytes.IndexByte(s.buf[s.base+seen:s.end], 0)
		if i >= 0 {
			p := span{s.pos, seen + i}
			if p.end-p.start > limit || p.end >= MaxList {
				return span{}, errTooLong
			}
			s.pos = p.end + 1
			return p, nil
		}
		seen = s.end - s.base
		if seen-s.pos > limit || seen >= MaxList {
			return span{}, errTooLong
		}
		if err := s.fill(); err != nil {
			return span{}, err
		}
	}
}

// fill reads once and makes room for it if need be.
func (s *scanner) fill() error {
	if s.base > 0 && len(s.buf)-s.end < compactBelow {
		s.end = copy(s.buf, s.buf[s.base:s.end])
		s.base = 0
	}
	switch {
	case s.buf == nil:
		s.buf = buffers.Get().(*[bufferSize]byte)[:]
	case s.end == len(s.buf):
		grown := make([]byte, 2*len(s.buf))
		s.end = copy(grown, s.buf[s.base:s.end])
		s.base = 0
		s.buf = grown
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		if n > 0 {
			s.end += n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
