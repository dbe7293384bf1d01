package prefilter

// group reads a group, whose opening parenthesis has been read.
func (p *parser) group(depth int) (node, bool) {
	outer := p.extended
	around := false // an assertion about what is before or after
	switch {
	case p.eat("*"):
		return node{}, false // a verb, or an option for the whole expression
	case !p.eat("?"):
	case p.eat(":"), p.eat(">"):
	case p.eat("="), p.eat("!"), p.eat("<="), p.eat("<!"):
		around = true
	case p.eat("P<"), p.eat("<"):
		if !p.identifier('>') {
			return node{}, false
		}
	case p.eat("'"):
		if !p.identifier('\'') {
			return node{}, false
		}
	case !p.letters():
		return node{}, false
	case p.eat(")"):
		return nothing, true // the options hold to the end of the group around
	case !p.eat(":"):
		return node{}, false
	}
	n, ok := p.alternatives(depth)
	p.extended = outer
	if !ok || p.quoting || !p.eat(")") {
		return node{}, false
	}
	if around {
		return nothing, true
	}
	return n, true
}

// identifier reads the rest of a group's name.
func (p *parser) identifier(end byte) bool {
	start := p.pos
	for p.pos < len(p.in) && p.in[p.pos] < 0x80 && isWord(p.in[p.pos]) {
		p.pos++
	}
	return p.pos > start && p.eat(string(rune(end)))
}

// letters reads options that are set or, after a hyphen, cleared inside an
// expression. Only x makes a difference.
func (p *parser) letters() bool {
	on, x := true, 0
	for ; p.pos < len(p.in); p.pos++ {
		switch p.in[p.pos] {
		case 'i', 'm', 's', 'n', 'U':
		case 'x':
			p.extended = on
			x++
		case '-':
			if !on {
				return false
			}
			on = false
		default:
			return x <= 1 // xx changes classes as well
		}
	}
	return false
}
