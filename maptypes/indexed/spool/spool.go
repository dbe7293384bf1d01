// Package spool keeps the entries of a table that is being built in a file, in the
// order in which they come. Memory holds a hash and a position of each, 8 bytes in
// a hash table, by which duplicate keys are found: the hash tells where they may
// be, and the file whether they are.
//
// The entries are records of a cdb file (https://cr.yp.to/cdb/cdb.txt): the length
// of the key, the length of the value, 32 bits each and little endian, key, value.
package spool

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"syscall"
)

const (
	headSize = 8 // of a record

	// bufferSize is how many bytes are written at once. What is smaller as a whole
	// and is not flushed needs no file.
	bufferSize = 256 << 10
)

var le = binary.LittleEndian

// Duplicates says what to do with a key that is there already.
type Duplicates int

// What to do with duplicates.
const (
	KeepFirst Duplicates = iota // keep the entry that is there
	KeepLast                    // replace it; the new one has its own place in the order
	KeepAll                     // keep both
)

// Spool is a list of entries. It is used by one goroutine.
type Spool struct {
	open  func() (*os.File, error) // called when the file is needed
	file  *os.File                 // nil before
	start int64                    // of the first record
	unit  int                      // positions are multiples of it
	dups  Duplicates

	buf  []byte // the end of the records, not yet in the file
	base int64  // position of buf

	index [Parts]part
	count int
	gaps  bool // there are records that were replaced

	scratch []byte
}

// New returns an empty list. Its records are written from position start on (more
// than 0) to a file that open returns, for reading and writing. The caller closes
// the file. Positions of records are multiples of unit, and at most unit times the
// greatest number of 32 bits.
func New(open func() (*os.File, error), start int64, unit int, dups Duplicates) *Spool {
	return &Spool{open: open, start: start, unit: unit, dups: dups, base: start}
}

// Len returns the number of entries.
func (s *Spool) Len() int { return s.count }

// End returns the position behind the last record.
func (s *Spool) End() int64 { return s.base + int64(len(s.buf)) }

// Put adds an entry. It reports whether it left the key as it was, with KeepFirst.
// More than positions can tell is the error EFBIG.
func (s *Spool) Put(key, value []byte) (exists bool, err error) {
	h := Hash(key)
	p := &s.index[h%Parts]
	pos := s.End()
	if pos/int64(s.unit) > math.MaxUint32 || uint64(len(key)) > math.MaxUint32 || uint64(len(value)) > math.MaxUint32 {
		return false, syscall.EFBIG
	}
	at := Slot{h, s.position(pos)}
	if s.dups == KeepAll {
		p.slots = append(p.slots, at)
		s.count++
		return false, s.write(key, value)
	}
	old, err := s.find(p, h, key)
	switch {
	case err != nil:
		return false, err
	case old == nil:
		p.insert(at)
		s.count++
	case s.dups == KeepFirst:
		return true, nil
	default:
		old.Pos = at.Pos
		s.gaps = true
	}
	return false, s.write(key, value)
}

// find returns the slot of a key, or nil.
func (s *Spool) find(p *part, h uint32, key []byte) (*Slot, error) {
	for i := p.first(h); p.taken(i); i = p.next(i) {
		if p.slots[i].Hash != h {
			continue
		}
		same, err := s.hasKey(int64(p.slots[i].Pos)*int64(s.unit), key)
		if err != nil {
			return nil, err
		}
		if same {
			return &p.slots[i], nil
		}
	}
	return nil, nil
}

// hasKey reports whether the record at pos is one of the key.
func (s *Spool) hasKey(pos int64, key []byte) (bool, error) {
	n := headSize + len(key)
	var record []byte
	if pos >= s.base {
		record = s.buf[pos-s.base:]
	} else {
		// A record that is shorter may be the last one in the file.
		if cap(s.scratch) < n {
			s.scratch = make([]byte, n)
		}
		got, err := s.file.ReadAt(s.scratch[:n], pos)
		if got < headSize {
			return false, err
		}
		record = s.scratch[:got]
	}
	return int(le.Uint32(record)) == len(key) && len(record) >= n && bytes.Equal(record[headSize:n], key), nil
}

// write appends a record.
func (s *Spool) write(key, value []byte) error {
	if s.buf == nil {
		s.buf = make([]byte, 0, bufferSize)
	}
	s.buf = le.AppendUint32(s.buf, uint32(len(key)))
	s.buf = le.AppendUint32(s.buf, uint32(len(value)))
	s.buf = append(append(s.buf, key...), value...)
	for s.End()%int64(s.unit) != 0 {
		s.buf = append(s.buf, 0)
	}
	if len(s.buf) < bufferSize*3/4 {
		return nil
	}
	return s.Flush()
}

// Flush writes to the file what is not there yet.
func (s *Spool) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	if s.file == nil {
		f, err := s.open()
		if err != nil {
			return err
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(s.buf, s.base); err != nil {
		return err
	}
	s.base += int64(len(s.buf))
	s.buf = s.buf[:0]
	if cap(s.buf) > 2*bufferSize {
		s.buf = nil // there was a large one
	}
	return nil
}
