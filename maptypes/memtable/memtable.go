// Package memtable is a table in memory for the map types that are read from
// text (texthash:, inline:). All entries lie in one block, found through an
// index of four bytes for each slot, so that a table of a million entries costs
// little more than its text, and the garbage collector has nothing to look at.
package memtable

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"

	"github.com/proxymapd/proxymapd/maptypes"
)

// ErrTooLarge is returned by Set when the entries do not fit in 4 GiB.
var ErrTooLarge = errors.New("table too large")

// Table is a set of keys and values in the order in which the keys were added.
// When it is complete, several goroutines may read it at once.
type Table struct {
	// block holds the entries: the lengths of key and value as uvarints, the
	// key, the value.
	block []byte
	// slots is an open-addressing hash table of positions in block, plus one.
	slots []uint32
	// count is the number of keys.
	count int
	// stale is set when block holds entries that have been replaced.
	stale bool
	seed  maphash.Seed
}

const minSlots = 8

// New returns an empty table with room for the given number of bytes of keys
// and values.
func New(size int) *Table {
	return &Table{
		block: make([]byte, 0, size),
		slots: make([]uint32, minSlots),
		seed:  maphash.MakeSeed(),
	}
}

// Len returns the number of keys.
func (t *Table) Len() int { return t.count }

// Size returns the number of bytes that the table occupies.
func (t *Table) Size() int { return cap(t.block) + 4*len(t.slots) }

// Get returns the value of a key; it lies in the table's memory.
func (t *Table) Get(key []byte) (value []byte, ok bool) {
	if at := t.slots[t.slot(key)]; at != 0 {
		_, value, _ = t.entry(int(at - 1))
		return value, true
	}
	return nil, false
}

// Lookup is maptypes.Table.Lookup.
func (t *Table) Lookup(r *maptypes.Request) ([]byte, error) {
	value, ok := t.Get(r.Key)
	if r.Trace != nil {
		result := "no such key"
		if ok {
			result = "entry " + maptypes.Quote(value)
		}
		r.Trace.Result(result, "key %s among %d in memory", maptypes.Quote(r.Key), t.count)
	}
	if !ok {
		return nil, maptypes.ErrNotFound
	}
	return value, nil
}

// Set stores a value, in the place of an earlier one of the same key.
func (t *Table) Set(key, value []byte) error {
	const longestHead = 2 * binary.MaxVarintLen64
	at := len(t.block)
	if uint64(at)+longestHead+uint64(len(key))+uint64(len(value)) >= math.MaxUint32 {
		return ErrTooLarge
	}
	slot := t.slot(key)
	if t.slots[slot] != 0 {
		t.stale = true
	} else {
		t.count++
	}
	t.block = binary.AppendUvarint(t.block, uint64(len(key)))
	t.block = binary.AppendUvarint(t.block, uint64(len(value)))
	t.block = append(t.block, key...)
	t.block = append(t.block, value...)
	t.slots[slot] = uint32(at) + 1
	if t.count > len(t.slots)/4*3 {
		t.grow()
	}
	return nil
}

// Fit gives back memory that was reserved in vain.
func (t *Table) Fit() {
	if spare := cap(t.block) - len(t.block); spare > 4096 && spare > len(t.block)/8 {
		t.block = append(make([]byte, 0, len(t.block)), t.block...)
	}
}

// Next is maptypes.Sequencer.Sequence. The entry before is found by its key, and
// by its number when a new version of the table no longer has the key.
func (t *Table) Next(c *maptypes.Cursor) (key, value []byte, err error) {
	next := 0
	if c.Pos > 0 {
		if at := t.slots[t.slot(c.Key)]; at != 0 {
			_, _, next = t.entry(int(at - 1))
		} else {
			next = t.skip(c.Pos)
		}
	}
	for next < len(t.block) {
		at := next
		key, value, next = t.entry(at)
		if t.current(at, key) {
			c.Key, c.Pos = append(c.Key[:0], key...), c.Pos+1
			return key, value, nil
		}
	}
	return nil, nil, maptypes.ErrNotFound
}

// skip returns the position behind the first n keys.
func (t *Table) skip(n int64) (next int) {
	for n > 0 && next < len(t.block) {
		at := next
		var key []byte
		key, _, next = t.entry(at)
		if t.current(at, key) {
			n--
		}
	}
	return next
}

// current reports whether the entry has not been replaced by a later one.
func (t *Table) current(at int, key []byte) bool {
	return !t.stale || t.slots[t.slot(key)] == uint32(at)+1
}

// entry decodes the entry at a position and returns the position of the next.
func (t *Table) entry(at int) (key, value []byte, next int) {
	keyLen, n := binary.Uvarint(t.block[at:])
	at += n
	valueLen, n := binary.Uvarint(t.block[at:])
	at += n
	end := at + int(keyLen)
	next = end + int(valueLen)
	return t.block[at:end:end], t.block[end:next:next], next
}

// slot returns the slot of a key: the one that holds it, or else the free one
// where it belongs.
func (t *Table) slot(key []byte) int {
	mask := uint64(len(t.slots) - 1)
	i := maphash.Bytes(t.seed, key) & mask
	for t.slots[i] != 0 {
		if k, _, _ := t.entry(int(t.slots[i] - 1)); string(k) == string(key) {
			break
		}
		i = (i + 1) & mask
	}
	return int(i)
}

// grow doubles the number of slots.
func (t *Table) grow() {
	old := t.slots
	t.slots = make([]uint32, 2*len(old))
	mask := uint64(len(t.slots) - 1)
	for _, at := range old {
		if at == 0 {
			continue
		}
		key, _, _ := t.entry(int(at - 1))
		i := maphash.Bytes(t.seed, key) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = at
	}
}
