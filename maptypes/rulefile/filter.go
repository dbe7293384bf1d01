package rulefile

import (
	"math/bits"

	"github.com/proxymapd/proxymapd/maptypes/rulefile/prefilter"
)

// filter finds the rules that a key has to be tried with, in their order.
type filter struct {
	index  *prefilter.Index // nil when nothing is known about any rule
	always []uint64         // bit set of the rules that count for any key
}

// newFilter returns the filter for rules whose first patterns have the needs.
func newFilter(rules []rule, needs []prefilter.Need) filter {
	f := filter{index: prefilter.NewIndex(needs), always: make([]uint64, (len(rules)+63)/64)}
	for i := range rules {
		// An if and a negated rule do something when the pattern does not match.
		if !rules[i].filtered || rules[i].negate || rules[i].end > 0 {
			f.always[i/64] |= 1 << (i % 64)
		}
	}
	return f
}

// words returns the length of the bit set that the other methods want.
func (f *filter) words() int {
	if f.index == nil {
		return len(f.always)
	}
	return f.index.Words()
}

// scan sets the bits of the rules whose first pattern may match the key, as far
// as they are filtered.
func (f *filter) scan(key []byte, found []uint64) {
	if f.index != nil {
		f.index.Scan(key, found)
	}
}

// next returns the first rule from index i on that counts for the key, or a
// number beyond the last rule.
func (f *filter) next(found []uint64, i int) int {
	for ; i/64 < len(f.always); i = (i/64 + 1) * 64 {
		if left := (f.always[i/64] | found[i/64]) >> (i % 64); left != 0 {
			return i + bits.TrailingZeros64(left)
		}
	}
	return i
}

// possible reports whether the engine must be asked about the first pattern of
// rule i. When it is not, the pattern does not match; and where that makes a
// difference, the engine would surely have said the same.
func (r *rule) possible(found []uint64, i, keyLength int) bool {
	return !r.filtered || found[i/64]&(1<<(i%64)) != 0 || r.negate && keyLength > r.sure
}
