package regexp

import (
	"fmt"
	"strings"
)

// set is a set of bytes.
type set [256]bool

// bracket translates a bracket expression, whose opening bracket has been read.
func (t *translator) bracket() (string, error) {
	negate := false
	if strings.HasPrefix(t.in[t.pos:], "^") {
		t.pos++
		negate = true
	}
	if t.pos == len(t.in) {
		return "", errPattern
	}
	members, err := t.members()
	if err != nil {
		return "", err
	}
	matches := *members
	for c := range matches {
		matches[c] = members[t.upper(byte(c))] != negate
	}
	if negate && t.options&optNewline != 0 {
		matches['\n'] = false
	}
	return matches.String(), nil
}

// upper returns c as glibc compares it: with case ignored, the expression and
// the key are both in upper case.
func (t *translator) upper(c byte) byte {
	if t.options&optIgnoreCase != 0 && 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// members reads the elements up to the closing bracket.
func (t *translator) members() (*set, error) {
	members := new(set)
	for first := true; ; first = false {
		if t.pos == len(t.in) {
			return nil, errBracket
		}
		if t.in[t.pos] == ']' && !first {
			t.pos++
			return members, nil
		}
		if t.in[t.pos] == '-' && !first && !t.closesAfter(1) {
			return nil, errRange // neither first, nor last, nor between two ends
		}
		from, class, err := t.element(members)
		if err != nil {
			return nil, err
		}
		to := from
		if strings.HasPrefix(t.in[t.pos:], "-") && !t.closesAfter(1) {
			t.pos++
			if t.pos == len(t.in) {
				return nil, errBracket
			}
			var classEnd bool
			if to, classEnd, err = t.element(members); err != nil {
				return nil, err
			}
			if class || classEnd || from > to {
				return nil, errRange
			}
		}
		for c := int(from); !class && c <= int(to); c++ {
			members[c] = true
		}
	}
}

// closesAfter reports whether the closing bracket follows after n bytes.
func (t *translator) closesAfter(n int) bool {
	return strings.HasPrefix(t.in[t.pos+n:], "]")
}

// element reads a character, [.x.] or [=x=], or adds the members of a class and
// reports true.
func (t *translator) element(members *set) (c byte, class bool, err error) {
	rest := t.in[t.pos:]
	if len(rest) < 2 || rest[0] != '[' || strings.IndexByte(".=:", rest[1]) < 0 {
		t.pos++
		return t.upper(rest[0]), false, nil
	}
	name, _, ok := strings.Cut(rest[2:], rest[1:2]+"]")
	if !ok {
		return 0, false, errBracket
	}
	t.pos += 2 + len(name) + 2
	if rest[1] == ':' {
		return 0, true, t.class(name, members)
	}
	if len(name) != 1 {
		return 0, false, errCollate
	}
	if rest[1] == '=' {
		members[t.upper(name[0])] = true
		return 0, true, nil
	}
	return t.upper(name[0]), false, nil
}

// classes are the character classes of the C locale, as ranges.
var classes = map[string]string{
	"alnum":  "09AZaz",
	"alpha":  "AZaz",
	"blank":  "\t\t  ",
	"cntrl":  "\x00\x1f\x7f\x7f",
	"digit":  "09",
	"graph":  "!~",
	"lower":  "az",
	"print":  " ~",
	"punct":  "!/:@[`{~",
	"space":  "\t\r  ",
	"upper":  "AZ",
	"xdigit": "09AFaf",
}

// class adds the members of a character class.
func (t *translator) class(name string, members *set) error {
	if t.options&optIgnoreCase != 0 && (name == "upper" || name == "lower") {
		name = "alpha"
	}
	ranges, ok := classes[name]
	if !ok {
		return errClass
	}
	for i := 0; i < len(ranges); i += 2 {
		for c := ranges[i]; c <= ranges[i+1]; c++ {
			members[c] = true
		}
	}
	return nil
}

// String returns the set in PCRE2's syntax.
func (s *set) String() string {
	var b strings.Builder
	for c := 0; c < len(s); c++ {
		if !s[c] {
			continue
		}
		last := c
		for last+1 < len(s) && s[last+1] {
			last++
		}
		fmt.Fprintf(&b, `\x%02x-\x%02x`, c, last)
		c = last
	}
	if b.Len() == 0 {
		return `(?!)`
	}
	return "[" + b.String() + "]"
}
