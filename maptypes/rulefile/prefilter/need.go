// Package prefilter tells which expressions of a table can match a key at all,
// so that an engine need not try the others.
//
// Analyze derives from an expression strings of which a match must contain one;
// it knows the part of PCRE2's syntax whose meaning is beyond doubt, and has
// nothing to say about an expression with anything else. Index finds the strings
// of all expressions in a key in one pass.
//
// Case is ignored everywhere, and only ASCII is used: a string that is compared
// too generously costs a match that fails, never an answer.
package prefilter

import "math"

// Need is what is known about all keys that an expression matches.
type Need struct {
	// AnyOf are sets of strings. The key has at least one string of every set
	// in it. The strings are ASCII, not empty, and without capital letters.
	AnyOf [][]string

	// Sure is the length in bytes up to which the engine would surely come to
	// the end on a key: without the strings, "no match" is what it would say. On
	// a longer one it might reach its match limit instead. It is 0 for an
	// expression that can go back and forth for ever.
	Sure int
}

// Analyze returns what a match of an expression in PCRE2's syntax needs.
// extended is set when white space and comments in the expression mean nothing
// (PCRE2_EXTENDED); other options make no difference. It reports false when the
// expression needs nothing, or nothing that is known.
func Analyze(expr string, extended bool) (Need, bool) {
	p := parser{in: expr, extended: extended, effort: effort{paths: 1}}
	n, ok := p.alternatives(0)
	if !ok || p.pos < len(p.in) {
		return Need{}, false
	}
	need := Need{AnyOf: n.sets(), Sure: p.sure()}
	return need, len(need.AnyOf) > 0
}

// enoughSteps is a tenth of PCRE2's match limit.
const enoughSteps = 1e6

// effort is how many ways through an expression there are for one key.
type effort struct {
	paths   float64 // for a key of any length
	repeats int     // each multiplies them by the length of the key
	endless bool    // the number is not known
}

// sure returns the length of the longest key that is done in enoughSteps.
func (e *effort) sure() int {
	if e.endless {
		return 0
	}
	// One more repeat: a match may start anywhere.
	return int(math.Pow(enoughSteps/e.paths, 1/float64(e.repeats+1))) - 1
}
