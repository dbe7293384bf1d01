package cidr

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// table is a compiled cidr table: steps that are taken in order until one has a
// result.
type table struct {
	steps  []step
	values values
	src    *rulefile.Source // for a trace
}

var _ maptypes.Table = (*table)(nil)

// step is one of three things: a run of ordinary rules that follow each other, a
// negated rule, or an if.
type step struct {
	run    *bart.Table[uint32] // of a run: result number by network
	net    netip.Prefix
	negate bool
	end    int    // of an if: the step after its endif
	value  uint32 // of a negated rule: result number
}

// holds reports whether an address satisfies the pattern of a negated rule or an
// if. A pattern of the other address family never does, negated or not.
func (s *step) holds(addr netip.Addr) bool {
	return s.net.Addr().BitLen() == addr.BitLen() && s.net.Contains(addr) != s.negate
}

// find returns the number of the result for an address.
func (t *table) find(addr netip.Addr) (value uint32, ok bool) {
	for i := 0; i < len(t.steps); i++ {
		s := &t.steps[i]
		switch {
		case s.run != nil:
			if value, ok := s.run.Lookup(addr); ok {
				return value, true
			}
		case s.end == 0:
			if s.holds(addr) {
				return s.value, true
			}
		case !s.holds(addr):
			i = min(s.end, len(t.steps)) - 1
		}
	}
	return 0, false
}

// values holds the results of all rules in one piece of memory; equal results
// that follow each other are stored once.
type values struct {
	text []byte
	ends []uint32
}

func (v *values) get(n uint32) []byte {
	from := uint32(0)
	if n > 0 {
		from = v.ends[n-1]
	}
	to := v.ends[n]
	return v.text[from:to:to]
}

func (v *values) add(text string) uint32 {
	if n := len(v.ends); n > 0 && string(v.get(uint32(n-1))) == text {
		return uint32(n - 1)
	}
	v.text = append(v.text, text...)
	v.ends = append(v.ends, uint32(len(v.text)))
	return uint32(len(v.ends) - 1)
}

// builder collects the rules of a table.
type builder struct {
	stack  rulefile.Stack
	steps  []step
	values values
	run    []member // the run that is being collected
}
