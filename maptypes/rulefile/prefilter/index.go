package prefilter

import (
	"math/bits"
	"slices"
)

// gramSize is how many bytes of a string are looked up in a table at once.
const gramSize = 4

// Index finds which expressions of a list can match a key. It is not changed
// after it is made.
//
// Of every string, the few bytes that the fewest others have (a gram) are in a
// hash table; the whole string is compared where they are found.
type Index struct {
	rules   int
	lengths []int // of grams, in bytes
	shift   int
	start   []uint32 // of a hash value: where its entries start; they end where the next ones start
	entries []entry
}

// entry is a string, folded to lower case.
type entry struct {
	text  string
	end   int      // of its gram
	rules []uint32 // that need it or another one
	gram  gram
}

// gram is up to gramSize bytes, as a number, and how many they are.
type gram uint64

func newGram(text string) gram {
	var g uint32
	for i := range len(text) {
		g = g<<8 | uint32(text[i])
	}
	return gram(len(text))<<32 | gram(g)
}

func (g gram) hash(shift int) uint64 { return uint64(g) * 0x9e3779b97f4a7c15 >> shift }

// NewIndex returns the index of expressions by their number. Those whose need
// has no set are not in it. It returns nil when all are so.
func NewIndex(needs []Need) *Index {
	entries := collect(needs)
	if len(entries) == 0 {
		return nil
	}
	x := &Index{rules: len(needs), shift: 64 - bits.Len(uint(4*len(entries)))}
	for i := range entries {
		x.lengths = append(x.lengths, int(entries[i].gram>>32))
	}
	slices.Sort(x.lengths)
	x.lengths = slices.Compact(x.lengths)
	x.fill(entries)
	return x
}

// fill sorts the entries by their hash.
func (x *Index) fill(entries []entry) {
	x.start = make([]uint32, 1<<(64-x.shift)+1)
	for i := range entries {
		x.start[entries[i].gram.hash(x.shift)+1]++
	}
	for i := 1; i < len(x.start); i++ {
		x.start[i] += x.start[i-1]
	}
	next := slices.Clone(x.start)
	x.entries = make([]entry, len(entries))
	for i := range entries {
		h := entries[i].gram.hash(x.shift)
		x.entries[next[h]] = entries[i]
		next[h]++
	}
}

// Words returns the length of the bit set that Scan wants.
func (x *Index) Words() int { return (x.rules+63)/64 + (len(x.entries)+63)/64 }

// Scan sets the bits of all expressions in the index that can match key, and
// clears those of the other ones. The bits from the number of expressions on
// are for its own use.
func (x *Index) Scan(key []byte, found []uint64) {
	clear(found)
	seen := found[(x.rules+63)/64:]
	var last uint32
	for i, c := range key {
		last = last<<8 | uint32(lower[c])
		for _, n := range x.lengths {
			if i+1 < n {
				break
			}
			g := gram(n)<<32 | gram(last<<(32-8*n)>>(32-8*n))
			h := g.hash(x.shift)
			for e := x.start[h]; e < x.start[h+1]; e++ {
				if bit := uint64(1) << (e % 64); seen[e/64]&bit == 0 && x.entries[e].ends(key, i+1) {
					seen[e/64] |= bit
					x.entries[e].mark(found)
				}
			}
		}
	}
}

// ends reports whether the string is in key with the end of its gram at end.
func (e *entry) ends(key []byte, end int) bool {
	from := end - e.end
	if from < 0 || len(key)-from < len(e.text) {
		return false
	}
	for i, c := range key[from : from+len(e.text)] {
		if lower[c] != e.text[i] {
			return false
		}
	}
	return true
}

// mark sets the bits of the rules that need the string.
func (e *entry) mark(found []uint64) {
	for _, rule := range e.rules {
		found[rule/64] |= 1 << (rule % 64)
	}
}
