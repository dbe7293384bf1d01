package prefilter

import "strings"

// escape reads what follows a backslash outside a class.
func (p *parser) escape() (node, bool) {
	if p.pos == len(p.in) {
		return node{}, false
	}
	c := p.in[p.pos]
	p.pos++
	switch {
	case !isWord(c):
		return literal(c), true
	case strings.IndexByte("bBAZzGK", c) >= 0:
		return nothing, true
	case strings.IndexByte("dDwWsShHvV", c) >= 0:
		return node{}, true
	case c == 'g':
		return p.reference()
	case '1' <= c && c <= '9':
		// Two digits can be a reference or an octal number.
		p.endless = true
		return node{}, p.pos == len(p.in) || p.in[p.pos] < '0' || '9' < p.in[p.pos]
	}
	c, ok := p.code(c)
	return literal(c), ok
}

// reference reads the rest of \g{n}.
func (p *parser) reference() (node, bool) {
	p.endless = true
	if !p.eat("{") {
		return node{}, false
	}
	_, ok := p.number()
	return node{}, ok && p.eat("}")
}

// code reads the rest of an escape that stands for one byte.
func (p *parser) code(c byte) (byte, bool) {
	if i := strings.IndexByte("aefnrt", c); i >= 0 {
		return "\a\x1b\f\n\r\t"[i], true
	}
	if c != 'x' || len(p.in)-p.pos < 2 {
		return 0, false
	}
	high, low := hex(p.in[p.pos]), hex(p.in[p.pos+1])
	p.pos += 2
	return byte(high<<4 | low), high >= 0 && low >= 0
}

// hex returns the value of a hexadecimal digit, or a negative number.
func hex(c byte) int { return strings.IndexByte("0123456789abcdef", lower[c]) }

// isWord reports whether a byte can be part of a name; a backslash gives a
// meaning to some of these only.
func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= lower[c] && lower[c] <= 'z' || c == '_' || c >= 0x80
}
