package cdb

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
)

// errDamaged is the error of a file that contradicts itself.
var errDamaged = errors.New("the file is damaged")

// reader finds records. No number in the file is trusted. Its methods may be
// called by several goroutines at once, after init.
type reader struct {
	src     io.ReaderAt
	size    int64 // of the file
	end     int64 // of the records
	tables  [tables]hashTable
	scratch sync.Pool // of *scratch
}

// hashTable is one of the pointers at the start of the file.
type hashTable struct {
	pos   int64
	slots uint32
}

// pointerSize is the size of a pointer in the file.
const pointerSize = headerSize / tables

// hashTableAt returns what a pointer says.
func hashTableAt(pointer []byte) hashTable {
	return hashTable{pos: int64(le.Uint32(pointer)), slots: le.Uint32(pointer[4:])}
}

// slotsAtOnce is how many slots one read gets; a probe seldom needs more.
const slotsAtOnce = 16

// scratch is room for one lookup.
type scratch struct {
	slots  [slotsAtOnce * slotSize]byte
	record []byte
}

// init reads the pointers, and checks that the hash tables lie in the file.
func (rd *reader) init(size int64) error {
	rd.size = size
	var header [headerSize]byte
	if err := rd.readAt(header[:], 0); err != nil {
		return err
	}
	for i := range rd.tables {
		t := hashTableAt(header[pointerSize*i:])
		if t.slots > 0 && (t.pos < headerSize || t.pos+int64(t.slots)*slotSize > size) {
			return errDamaged
		}
		rd.tables[i] = t
	}
	rd.end = min(max(rd.tables[0].pos, headerSize), size)
	return nil
}

// readAt fills p. That the file ends before is errDamaged.
func (rd *reader) readAt(p []byte, pos int64) error {
	if pos < 0 || pos+int64(len(p)) > rd.size {
		return errDamaged
	}
	_, err := rd.src.ReadAt(p, pos)
	if errors.Is(err, io.EOF) {
		return errDamaged
	}
	return err
}

// record is where a record lies.
type record struct {
	pos        int64
	key, value int64 // sizes
}

func (r record) keyPos() int64   { return r.pos + recordHead }
func (r record) valuePos() int64 { return r.keyPos() + r.key }
func (r record) next() int64     { return r.valuePos() + r.value }

// head returns the record that the header at its start describes.
func (rd *reader) head(pos int64, header []byte) (record, error) {
	r := record{pos: pos, key: int64(le.Uint32(header)), value: int64(le.Uint32(header[4:]))}
	if r.pos < headerSize || r.next() > rd.end {
		return r, errDamaged
	}
	return r, nil
}

// Get appends the value of key to dst.
func (rd *reader) Get(key, dst []byte) ([]byte, error) {
	r, err := rd.find(key)
	if err != nil {
		return dst, err
	}
	return rd.appendAt(dst, r.valuePos(), r.value)
}

// appendAt appends a part of the file, which lies in it, to dst.
func (rd *reader) appendAt(dst []byte, pos, size int64) ([]byte, error) {
	n := len(dst)
	dst = append(dst, make([]byte, size)...)
	return dst, rd.readAt(dst[n:], pos)
}

// find returns the first record of a key, or maptypes.ErrNotFound.
func (rd *reader) find(key []byte) (record, error) {
	h := hash(key)
	t := rd.tables[h%tables]
	if t.slots == 0 {
		return record{}, maptypes.ErrNotFound
	}
	s, _ := rd.scratch.Get().(*scratch)
	if s == nil {
		s = new(scratch)
	}
	defer rd.scratch.Put(s)
	slot := h / tables % t.slots
	for seen := uint32(0); seen < t.slots; {
		n := min(slotsAtOnce, t.slots-slot, t.slots-seen)
		slots := s.slots[:n*slotSize]
		if err := rd.readAt(slots, t.pos+int64(slot)*slotSize); err != nil {
			return record{}, err
		}
		for ; len(slots) > 0; slots = slots[slotSize:] {
			pos := int64(le.Uint32(slots[4:]))
			// The position tells whether a slot is free: a hash may be 0.
			if pos == 0 {
				return record{}, maptypes.ErrNotFound
			}
			if le.Uint32(slots) != h {
				continue
			}
			r, equal, err := rd.compare(pos, key, s)
			if err != nil || equal {
				return r, err
			}
		}
		seen += n
		slot = (slot + n) % t.slots
	}
	return record{}, maptypes.ErrNotFound
}

// compare reports whether the record at pos is one of the key.
func (rd *reader) compare(pos int64, key []byte, s *scratch) (record, bool, error) {
	n := recordHead + len(key)
	if cap(s.record) < n {
		s.record = make([]byte, n)
	}
	head := s.record[:recordHead]
	if err := rd.readAt(head, pos); err != nil {
		return record{}, false, err
	}
	r, err := rd.head(pos, head)
	if err != nil || r.key != int64(len(key)) {
		return r, false, err
	}
	stored := s.record[recordHead:n]
	if err := rd.readAt(stored, r.keyPos()); err != nil {
		return r, false, err
	}
	return r, bytes.Equal(stored, key), nil
}

// at returns the record at pos and appends its key to dst. It is not found at
// the end.
func (rd *reader) at(pos int64, dst []byte) (record, []byte, error) {
	if pos == rd.end {
		return record{}, dst, maptypes.ErrNotFound
	}
	n := len(dst)
	dst, err := rd.appendAt(dst, pos, recordHead)
	if err != nil {
		return record{}, dst, err
	}
	r, err := rd.head(pos, dst[n:])
	if err != nil {
		return r, dst, err
	}
	dst, err = rd.appendAt(dst[:n], r.keyPos(), r.key)
	return r, dst, err
}
