package ldap

import (
	"errors"
	"fmt"
	"strings"
)

// errFilter is wrapped by the errors about a filter, in the words of OpenLDAP's
// library.
var errFilter = errors.New("-7: Bad search filter")

// maxFilterDepth is how deep filters may be nested in each other: one that comes
// from the directory may have been made to exhaust somebody's stack.
const maxFilterDepth = 100

// canonicalFilter turns a search filter as OpenLDAP's library takes it into the
// strict form of RFC 4515. That library allows blanks between the parts, which
// is how long filters are broken into lines, and a single comparison without
// parentheses, and it takes bytes that are no UTF-8 as they are.
func canonicalFilter(text string) (string, error) {
	p := filterParser{rest: strings.TrimLeft(text, " ")}
	var err error
	switch {
	case p.rest == "":
		err = errors.New("empty filter")
	case p.rest[0] == '(':
		if err = p.filter(0); err == nil && strings.Trim(p.rest, " ") != "" {
			err = errors.New("text after the end")
		}
	default:
		p.out.WriteByte('(')
		err = p.comparison(p.rest)
		p.out.WriteByte(')')
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errFilter, err)
	}
	return p.out.String(), nil
}

// filterParser reads a filter and writes the strict form of it.
type filterParser struct {
	rest string
	out  strings.Builder
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

func (p *filterParser) skipBlanks() {
	for p.rest != "" && isBlank(p.rest[0]) {
		p.rest = p.rest[1:]
	}
}

// take consumes a character if it is the next one.
func (p *filterParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// filter reads one filter in parentheses.
func (p *filterParser) filter(depth int) error {
	if depth >= maxFilterDepth {
		return fmt.Errorf("nested more than %d deep", maxFilterDepth)
	}
	if !p.take('(') {
		return errors.New("missing (")
	}
	p.out.WriteByte('(')
	p.skipBlanks()
	var err error
	switch {
	case p.take('&'):
		err = p.list('&', depth)
	case p.take('|'):
		err = p.list('|', depth)
	case p.take('!'):
		p.out.WriteByte('!')
		p.skipBlanks()
		err = p.filter(depth + 1)
	default:
		end := comparisonLen(p.rest)
		err = p.comparison(p.rest[:end])
		p.rest = p.rest[end:]
	}
	if err != nil {
		return err
	}
	if !p.take(')') {
		return errors.New("missing )")
	}
	p.out.WriteByte(')')
	return nil
}

// comparisonLen returns where a comparison ends: before a parenthesis that is not
// quoted.
func comparisonLen(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(', ')':
			return i
		}
	}
	return len(text)
}

// list reads the filters of a conjunction or disjunction.
func (p *filterParser) list(operator byte, depth int) error {
	p.out.WriteByte(operator)
	for p.skipBlanks(); p.rest != "" && p.rest[0] != ')'; p.skipBlanks() {
		if err := p.filter(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// comparison writes "attribute=value" and the like.
func (p *filterParser) comparison(text string) error {
	equals := strings.IndexByte(text, '=')
	if equals <= 0 {
		return errors.New("missing attribute or =")
	}
	name, operator := text[:equals], "="
	if c := name[equals-1]; c == '<' || c == '>' || c == '~' || c == ':' {
		name, operator = name[:equals-1], string(c)+"="
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ';') && !(c == ':' && operator == ":=") {
			return fmt.Errorf("bad attribute description %q", name)
		}
	}
	if name == "" {
		return errors.New("missing attribute")
	}
	p.out.WriteString(name + operator)
	return p.value(text[equals+1:])
}

// value writes an assertion value. Of what is quoted, all that is not plain stays
// so.
func (p *filterParser) value(text string) error {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' {
			decoded, size, err := unquote(text[i:])
			if err != nil {
				return err
			}
			p.quoted(decoded)
			i += size - 1
			continue
		}
		switch {
		case c == '(' || c == ')':
			return errors.New("parenthesis in a value")
		case c == '*' && i > 0 && text[i-1] == '*':
			return errors.New("** in a value")
		case c > ' ' && c < 0x7f:
			p.out.WriteByte(c)
		default:
			p.quoted(c)
		}
	}
	return nil
}

func (p *filterParser) quoted(c byte) {
	p.out.Write([]byte{'\\', upperHex[c>>4], upperHex[c&15]})
}

// unquote decodes the quoted character that text starts with: two hexadecimal
// digits, or as in LDAP version 2 the character itself.
func unquote(text string) (c byte, size int, err error) {
	if len(text) >= 3 {
		high, low := strings.IndexByte(upperHex, upper(text[1])), strings.IndexByte(upperHex, upper(text[2]))
		if high >= 0 && low >= 0 {
			return byte(high<<4 | low), 3, nil
		}
	}
	if len(text) >= 2 && strings.IndexByte("*()\\", text[1]) >= 0 {
		return text[1], 2, nil
	}
	return 0, 0, errors.New(`bad \ in a value`)
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}
