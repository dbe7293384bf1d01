package regexp

import "fmt"

// repeats translates the repetition operators after an atom. Several of them
// apply one after the other.
func (t *translator) repeats(atom string) (string, error) {
	for n := 0; ; n++ {
		tok, err := t.peek()
		if err != nil {
			return "", err
		}
		if n > 0 && !t.extended() && (tok.kind == kInterval || tok.kind == kRepeat && tok.c == '*') {
			return "", errRepeat
		}
		var operator string
		switch tok.kind {
		case kRepeat:
			operator = string(tok.c)
			t.pos += tok.size
		case kInterval:
			t.pos += tok.size
			if operator, err = t.interval(); err != nil {
				return "", err
			}
		default:
			return atom, nil
		}
		if n > 0 {
			atom = "(?:" + atom + ")"
		}
		atom += operator
	}
}

// interval translates {n}, {n,}, {n,m} or {,m}, whose opening brace has been
// read.
func (t *translator) interval() (string, error) {
	from, end := t.bound()
	if from == absent && end == ',' {
		from = 0
	}
	to := from
	if from >= 0 && end == ',' {
		to, end = t.bound()
	}
	switch {
	case end == 0:
		return "", errBrace
	case end == ',', from < 0, to == invalid, to != absent && from > to:
		return "", errInterval
	case from > maxRepeat, to > maxRepeat:
		return "", errSize
	case to == absent:
		return fmt.Sprintf("{%d,}", from), nil
	default:
		return fmt.Sprintf("{%d,%d}", from, to), nil
	}
}

// What bound returns when there is no number, or something else.
const (
	absent  = -1
	invalid = -2
)

// bound reads one number of an interval up to a comma or the closing brace,
// which is returned as ',' or '}'; 0 stands for the end of the expression.
// Numbers over the limit are all the same.
func (t *translator) bound() (n int, end byte) {
	n = absent
	for t.pos < len(t.in) {
		c := t.in[t.pos]
		t.pos++
		escaped := c == '\\' && t.pos < len(t.in)
		if escaped {
			c = t.in[t.pos]
			t.pos++
		}
		switch {
		case c == ',', c == '}' && escaped != t.extended():
			return n, c
		case escaped, c < '0', '9' < c, n == invalid:
			n = invalid
		default:
			n = min(10*max(n, 0)+int(c-'0'), maxRepeat+1)
		}
	}
	return n, 0
}
