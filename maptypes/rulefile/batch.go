package rulefile

import "context"

// MaxFirst is how many patterns Syntax.First gets at most. With fewer than
// minFirst it is not worth while: a pattern that matches is matched once more.
const (
	MaxFirst = 16
	minFirst = 3
)

// batch has room for patterns that are tried with one call of the engine.
type batch struct {
	rules    [MaxFirst]int // their indexes
	patterns [MaxFirst]Pattern
}

// plain reports whether a rule does nothing when its first pattern does not
// match.
func (r *rule) plain() bool { return r.end == 0 && !r.negate }

// skip returns the first rule from rule i on that needs more than finding out
// that it does not match: the engine has matched it or has given up, or there
// are too few before the next rule that is not plain.
func (t *Table) skip(ctx context.Context, s *scratch, key []byte, i int) int {
	for i < len(t.rules) {
		n := t.gather(s, i)
		if n < minFirst || ctx.Err() != nil {
			return i
		}
		tried, hit, err := t.first(ctx, s.batch.patterns[:n], key)
		last := s.batch.rules[tried-1]
		if hit || err != nil {
			return last
		}
		i = t.filter.next(s.found, last+1)
	}
	return i
}

// gather collects the plain rules from rule i on, as far as they count for the
// key and nothing else is between them.
func (t *Table) gather(s *scratch, i int) int {
	n := 0
	for n < MaxFirst && i < len(t.rules) && t.rules[i].plain() {
		s.batch.rules[n], s.batch.patterns[n] = i, t.rules[i].first
		n++
		i = t.filter.next(s.found, i+1)
	}
	return n
}
