package cdb

import (
	"bufio"
	"bytes"
	"io"
	"math"
)

// image is a file in the making.
type image struct {
	records []byte // as they will be in the file
	entries []entry
	last    map[uint32]int // by hash: the last entry, plus 1
	size    int64          // of the file
	removed bool           // some entries are
}

// entry is one record of an image.
type entry struct {
	hash    uint32
	pos     uint32 // in image.records
	before  int    // the entry before with this hash, plus 1
	removed bool
}

func newImage() *image { return &image{last: map[uint32]int{}, size: headerSize} }

// find returns the index of an entry of the key, or -1.
func (im *image) find(key []byte) int {
	for i := im.last[hash(key)]; i > 0; i = im.entries[i-1].before {
		if e := &im.entries[i-1]; !e.removed && bytes.Equal(im.key(e), key) {
			return i - 1
		}
	}
	return -1
}

// key returns the key of an entry.
func (im *image) key(e *entry) []byte {
	r := im.records[e.pos:]
	return r[recordHead : recordHead+le.Uint32(r)]
}

// record returns the record of an entry.
func (im *image) record(e *entry) []byte {
	r := im.records[e.pos:]
	return r[:recordHead+uint64(le.Uint32(r))+uint64(le.Uint32(r[4:]))]
}

// add appends a record. It returns false if the file would be too large for its
// format.
func (im *image) add(key, value []byte) bool {
	// A record takes two slots.
	size := im.size + recordHead + int64(len(key)) + int64(len(value)) + 2*slotSize
	if size > math.MaxUint32 || int64(len(im.records)) > math.MaxUint32 {
		return false
	}
	h := hash(key)
	im.entries = append(im.entries, entry{hash: h, pos: uint32(len(im.records)), before: im.last[h]})
	im.last[h] = len(im.entries)
	im.records = le.AppendUint32(im.records, uint32(len(key)))
	im.records = le.AppendUint32(im.records, uint32(len(value)))
	im.records = append(append(im.records, key...), value...)
	im.size = size
	return true
}

// remove takes an entry out.
func (im *image) remove(i int) {
	e := &im.entries[i]
	e.removed, im.removed = true, true
	im.size -= int64(len(im.record(e))) + 2*slotSize
}

// compact closes the gaps.
func (im *image) compact() {
	if !im.removed {
		return
	}
	old := *im
	*im = *newImage()
	im.records = make([]byte, 0, len(old.records))
	for i := range old.entries {
		e := &old.entries[i]
		if !e.removed {
			r := old.record(e)
			n := recordHead + le.Uint32(r)
			im.add(r[recordHead:n], r[n:])
		}
	}
}

// slot is one slot of a hash table.
type slot struct{ hash, pos uint32 }

// write writes the file.
func (im *image) write(to io.Writer) error {
	im.compact()
	var byTable [tables][]slot
	for i := range im.entries {
		e := &im.entries[i]
		t := &byTable[e.hash%tables]
		*t = append(*t, slot{e.hash, headerSize + e.pos})
	}
	w := bufio.NewWriterSize(to, 1<<16)
	pos := headerSize + uint32(len(im.records))
	for _, t := range byTable {
		writePair(w, pos, uint32(2*len(t)))
		pos += uint32(2 * len(t) * slotSize)
	}
	w.Write(im.records)
	for _, t := range byTable {
		for _, s := range fill(t) {
			writePair(w, s.hash, s.pos)
		}
	}
	return w.Flush()
}

// fill returns the hash table for the slots in use: twice as many.
func fill(used []slot) []slot {
	n := uint32(2 * len(used))
	all := make([]slot, n)
	for _, s := range used {
		i := s.hash / tables % n
		for all[i].pos != 0 {
			i = (i + 1) % n
		}
		all[i] = s
	}
	return all
}

// writePair writes two numbers; the writer keeps the first error.
func writePair(w *bufio.Writer, a, b uint32) {
	w.Write(le.AppendUint32(le.AppendUint32(w.AvailableBuffer(), a), b))
}
