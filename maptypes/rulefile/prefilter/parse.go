package prefilter

import "strings"

// maxDepth is how many groups may be inside each other.
const maxDepth = 100

// parser reads an expression in PCRE2's syntax. Its methods report false at
// anything whose meaning they are not sure of; the expression is then given up.
type parser struct {
	in       string
	pos      int
	extended bool // white space and comments mean nothing here
	quoting  bool // between \Q and \E
	effort
}

// alternatives reads branches up to the end of the group or expression.
func (p *parser) alternatives(depth int) (node, bool) {
	if depth > maxDepth {
		return node{}, false
	}
	var branches []node
	for {
		n, ok := p.branch(depth)
		if !ok {
			return node{}, false
		}
		branches = append(branches, n)
		if !p.eat("|") {
			p.paths *= float64(len(branches))
			return either(branches), true
		}
	}
}

// branch reads parts that follow each other.
func (p *parser) branch(depth int) (node, bool) {
	s := newSequence()
	for {
		if !p.quotes() {
			return node{}, false
		}
		if !p.quoting && !p.blank() {
			return node{}, false
		}
		if p.pos == len(p.in) || !p.quoting && (p.in[p.pos] == '|' || p.in[p.pos] == ')') {
			return s.node(), true
		}
		if !p.part(&s, depth) {
			return node{}, false
		}
	}
}

// quotes skips \Q and \E. Between them is an atom for each byte; a quantifier
// after \Q\E is for the atom before it, which part has done with, and is given up.
func (p *parser) quotes() bool {
	for p.quoting && p.eat(`\E`) || !p.quoting && p.eat(`\Q`) {
		p.quoting = !p.quoting
	}
	return !p.quoting || !p.extended
}

// part reads an atom and how often it is repeated.
func (p *parser) part(s *sequence, depth int) bool {
	c := p.in[p.pos]
	atom, ok := p.atom(depth)
	if !ok {
		return false
	}
	if p.quoting && !p.eat(`\E`) {
		s.add(atom)
		return true
	}
	p.quoting = false
	least, most, ok := p.quantifier()
	if !ok {
		return false
	}
	p.count(c, least, most)
	s.repeat(atom, least, most)
	return true
}

// count notes what the repetition of an atom that starts with c costs.
func (p *parser) count(c byte, least, most int) {
	switch {
	case least == 1 && most == 1:
	case least == 0 && most == 1:
		p.paths *= 2
	case c == '(':
		p.endless = true
	case least != most:
		p.repeats++
	}
}

// eat skips text if it is next.
func (p *parser) eat(text string) bool {
	if !strings.HasPrefix(p.in[p.pos:], text) {
		return false
	}
	p.pos += len(text)
	return true
}

// blank skips what means nothing in an extended expression.
func (p *parser) blank() bool {
	for p.extended && p.pos < len(p.in) {
		switch c := p.in[p.pos]; {
		case c == ' ', '\t' <= c && c <= '\r':
			p.pos++
		case c == '#':
			// What ends a comment depends on how the library was built.
			if rest := p.in[p.pos:]; strings.IndexFunc(rest, func(r rune) bool { return r < ' ' || r >= 0x7f }) >= 0 {
				return false
			}
			p.pos = len(p.in)
		default:
			return true
		}
	}
	return true
}

// atom reads what a quantifier can follow.
func (p *parser) atom(depth int) (node, bool) {
	c := p.in[p.pos]
	p.pos++
	if p.quoting {
		return literal(c), true
	}
	switch c {
	case '\\':
		return p.escape()
	case '[':
		return p.class()
	case '(':
		return p.group(depth + 1)
	case '.':
		return node{}, true
	case '^', '$':
		return nothing, true
	case '*', '+', '?', '{':
		return node{}, false
	}
	return literal(c), true
}

// literal returns the node of a byte that stands for itself.
func literal(c byte) node {
	if c >= 0x80 {
		return node{}
	}
	return node{exact: []string{string(rune(lower[c]))}}
}

// lower folds the case of ASCII letters.
var lower = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()

// unlimited is a quantifier without upper limit.
const unlimited = -1

// quantifier reads how often an atom is repeated: once if nothing is said.
func (p *parser) quantifier() (least, most int, ok bool) {
	if !p.blank() {
		return 0, 0, false
	}
	switch {
	case p.eat("*"):
		least, most = 0, unlimited
	case p.eat("+"):
		least, most = 1, unlimited
	case p.eat("?"):
		least, most = 0, 1
	case p.eat("{"):
		if least, most, ok = p.interval(); !ok {
			return 0, 0, false
		}
	default:
		return 1, 1, true
	}
	if !p.eat("?") {
		p.eat("+")
	}
	// A second quantifier is an error, or depends on the version of the library.
	if !p.blank() || p.pos < len(p.in) && strings.IndexByte("*+?{", p.in[p.pos]) >= 0 {
		return 0, 0, false
	}
	return least, most, true
}

// interval reads {n}, {n,} or {n,m}, whose opening brace has been read. Older
// versions of PCRE2 take any other text in braces literally, newer ones do not.
func (p *parser) interval() (least, most int, ok bool) {
	if least, ok = p.number(); !ok {
		return 0, 0, false
	}
	most = least
	if p.eat(",") {
		if most, ok = p.number(); !ok {
			most = unlimited
		}
	}
	return least, most, p.eat("}")
}

// number reads a number of up to five digits.
func (p *parser) number() (n int, ok bool) {
	for digits := 0; p.pos < len(p.in); digits++ {
		c := p.in[p.pos]
		if c < '0' || '9' < c || digits == 5 {
			break
		}
		n, ok = 10*n+int(c-'0'), true
		p.pos++
	}
	return n, ok
}
