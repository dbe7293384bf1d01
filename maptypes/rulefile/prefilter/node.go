package prefilter

import "slices"

// Limits, so that nothing grows without bound when parts are put together.
const (
	maxExact  = 16  // strings that a part of an expression is known to be
	maxSet    = 256 // strings in a set of which a key has one
	maxString = 64  // bytes in a string
	maxCopies = 8   // of a part that is repeated a fixed number of times
)

// node is what is known about the text that a part of an expression matches. The
// zero node knows nothing.
type node struct {
	exact []string   // the text is one of these; nil when it can be other text
	needs [][]string // the text has one of every set in it; empty when exact is set
}

// nothing is the node of a part that matches the empty string only.
var nothing = node{exact: []string{""}}

// sets returns the sets of strings of which a key has one of each.
func (n node) sets() [][]string {
	if n.exact == nil {
		return n.needs
	}
	if hasEmpty(n.exact) {
		return nil
	}
	return [][]string{n.exact}
}

// best returns the set that the fewest keys can be expected to meet, or nil.
func (n node) best() []string {
	var best []string
	for _, set := range n.sets() {
		if best == nil || shortest(set) > shortest(best) {
			best = set
		}
	}
	return best
}

// either returns the node of alternatives.
func either(branches []node) node {
	if len(branches) == 1 {
		return branches[0]
	}
	exact, known := []string{}, true
	for _, b := range branches {
		if known = known && b.exact != nil && len(exact) <= maxExact; known {
			exact = union(exact, b.exact)
		}
	}
	if known && len(exact) <= maxExact {
		return node{exact: exact}
	}
	var set []string
	for _, b := range branches {
		best := b.best()
		if best == nil || len(set)+len(best) > maxSet {
			return node{}
		}
		set = union(set, best)
	}
	return node{needs: [][]string{set}}
}

// sequence puts together nodes that follow each other.
type sequence struct {
	run    []string // the text since the last gap is one of these
	needs  [][]string
	broken bool // there was a gap
}

func newSequence() sequence { return sequence{run: []string{""}} }

// add appends a node.
func (s *sequence) add(n node) {
	if n.exact == nil {
		s.split(nothing.exact)
		s.needs = append(s.needs, n.needs...)
	} else if run := product(s.run, n.exact); run != nil {
		s.run = run
	} else {
		s.split(n.exact)
	}
}

// split ends the run of known text and begins another one.
func (s *sequence) split(run []string) {
	if !hasEmpty(s.run) {
		s.needs = append(s.needs, s.run)
	}
	s.run = run
	s.broken = true
}

// repeat appends a node that is repeated from least to most times; most is
// negative when there is no limit.
func (s *sequence) repeat(n node, least, most int) {
	switch {
	case least == 0 && most == 1 && n.exact != nil:
		s.add(node{exact: union([]string{""}, n.exact)})
	case least == 0:
		s.add(node{})
	case least == most && least <= maxCopies:
		for range least {
			s.add(n)
		}
	default:
		s.add(n)
		if n.exact != nil {
			s.split(n.exact) // the first one ends a run, the last one begins another
		}
	}
}

// node returns what is known about the whole sequence.
func (s *sequence) node() node {
	if !s.broken {
		return node{exact: s.run}
	}
	s.split(nothing.exact)
	return node{needs: s.needs}
}

// product returns every string of a followed by every string of b, or nil when
// that is too much.
func product(a, b []string) []string {
	if len(a)*len(b) > maxExact {
		return nil
	}
	if len(a) == 1 && len(b) == 1 && len(a[0])+len(b[0]) <= maxString {
		return []string{a[0] + b[0]} // mostly it is so
	}
	var all []string
	for _, x := range a {
		for _, y := range b {
			if len(x)+len(y) > maxString {
				return nil
			}
			all = append(all, x+y)
		}
	}
	return union(nil, all)
}

// union returns the strings that are in a or b, each once.
func union(a, b []string) []string {
	all := make([]string, 0, len(a)+len(b))
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

func hasEmpty(set []string) bool { return shortest(set) == 0 }

// shortest returns the length of the shortest string.
func shortest(set []string) int {
	n := maxString + 1
	for _, s := range set {
		n = min(n, len(s))
	}
	return n
}
