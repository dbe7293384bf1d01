package prefilter

import "strings"

// maxMembers is how many bytes of a class are taken one by one.
const maxMembers = 4

// members are the bytes of a class as far as they are ASCII. Case is ignored.
type members struct {
	list  []string
	other bool // there are too many, or some that are not known
}

func (m *members) add(from, to byte) {
	for c := int(from); c <= int(to) && !m.other; c++ {
		n := literal(byte(c))
		m.list = union(m.list, n.exact)
		m.other = n.exact == nil || len(m.list) > maxMembers
	}
}

// class reads a bracket expression, whose opening bracket has been read.
func (p *parser) class() (node, bool) {
	var m members
	m.other = p.eat("^")
	for first := true; ; first = false {
		if p.pos == len(p.in) {
			return node{}, false
		}
		if !first && p.eat("]") {
			break
		}
		if !p.member(&m) {
			return node{}, false
		}
	}
	if m.other {
		return node{}, true
	}
	return node{exact: m.list}, true
}

// member reads a byte, a range or a class inside a class.
func (p *parser) member(m *members) bool {
	from, one, ok := p.element()
	if !ok {
		return false
	}
	m.other = m.other || !one
	if !p.ranged() {
		if one {
			m.add(from, from)
		}
		return true
	}
	p.pos++
	to, single, ok := p.element()
	if one && single && from <= to {
		m.add(from, to)
	} else {
		m.other = true
	}
	return ok
}

// ranged reports whether a hyphen is next that is not the last member.
func (p *parser) ranged() bool {
	rest := p.in[p.pos:]
	return len(rest) > 1 && rest[0] == '-' && rest[1] != ']'
}

// element reads one byte of a class, or a name or an escape for several bytes:
// one is false then.
func (p *parser) element() (c byte, one, ok bool) {
	if p.pos == len(p.in) {
		return 0, false, false
	}
	c = p.in[p.pos]
	p.pos++
	switch {
	case c == '[' && p.pos < len(p.in) && strings.IndexByte(":.=", p.in[p.pos]) >= 0:
		return 0, false, p.name()
	case c == '\\' && p.pos < len(p.in):
		c = p.in[p.pos]
		p.pos++
		if !isWord(c) {
			return c, true, true
		}
		if strings.IndexByte("dDwWsShHvV", c) >= 0 {
			return 0, false, true
		}
		c, ok = p.code(c)
		return c, true, ok
	}
	return c, true, c != '\\'
}

// name reads the rest of [:alpha:], whose opening bracket has been read.
func (p *parser) name() bool {
	if !p.eat(":") {
		return false
	}
	p.eat("^")
	start := p.pos
	for p.pos < len(p.in) && 'a' <= p.in[p.pos] && p.in[p.pos] <= 'z' {
		p.pos++
	}
	return p.pos > start && p.eat(":]")
}
