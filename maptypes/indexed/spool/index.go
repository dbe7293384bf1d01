package spool

import (
	"cmp"
	"slices"
)

// Parts is the number of parts of the index: as many as a cdb file has hash
// tables. A part is that of the hashes with the same low 8 bits.
const Parts = 256

// Slot is the hash and the position, in units, of a record.
type Slot struct{ Hash, Pos uint32 }

// Hash is the hash function of cdb files.
func Hash(key []byte) uint32 {
	h := uint32(5381)
	for _, c := range key {
		h = (h<<5 + h) ^ uint32(c)
	}
	return h
}

// part is a part of the index: a hash table with open addressing, in which free
// slots have position 0. With KeepAll it is the mere list of slots.
//
// A quarter of the slots is free at least, half after it has grown: 11 to 16 bytes
// an entry. The parts grow one by one, so that only one is in memory twice.
type part struct {
	slots []Slot
	used  int
}

// first returns the index of the slot to look at first, next the one to look at
// after that.
func (p *part) first(h uint32) int {
	// The upper bits of the hashes of short keys are all alike.
	const mix = 0x9E3779B1
	return int(uint64(h*mix) * uint64(len(p.slots)) >> 32)
}

func (p *part) next(i int) int {
	if i++; i < len(p.slots) {
		return i
	}
	return 0
}

// taken reports whether slot i is in use.
func (p *part) taken(i int) bool { return i < len(p.slots) && p.slots[i].Pos != 0 }

// insert adds a slot.
func (p *part) insert(s Slot) {
	if (p.used+1)*4 > len(p.slots)*3 {
		old := p.slots
		p.slots = make([]Slot, max(8, len(old)+len(old)/2))
		for _, o := range old {
			if o.Pos != 0 {
				p.place(o)
			}
		}
	}
	p.place(s)
	p.used++
}

func (p *part) place(s Slot) {
	i := p.first(s.Hash)
	for p.taken(i) {
		i = p.next(i)
	}
	p.slots[i] = s
}

// exact returns the slot with this hash and position, or nil.
func (p *part) exact(s Slot) *Slot {
	for i := p.first(s.Hash); p.taken(i); i = p.next(i) {
		if p.slots[i] == s {
			return &p.slots[i]
		}
	}
	return nil
}

// Slots returns part i of the index in the order of the records, and makes an end
// of it: afterwards no entries can be added. The slice may be changed.
func (s *Spool) Slots(i int) []Slot {
	p := &s.index[i]
	if s.dups == KeepAll {
		return p.slots
	}
	used := slices.DeleteFunc(p.slots, func(s Slot) bool { return s.Pos == 0 })
	slices.SortFunc(used, func(a, b Slot) int { return cmp.Compare(a.Pos, b.Pos) })
	p.slots = used
	return used
}
