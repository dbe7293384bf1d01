package alias

import "strings"

// token is one lexical element of a line.
type token struct {
	kind kind
	text string // without quotes, brackets and backslashes; a comment has all of them
}

type kind int

const (
	operator kind = iota // one character of operators
	atom
	quoted  // a quoted string, or an atom that has to be quoted
	literal // a domain literal, [...]
	comment
)

const (
	// blanks separate tokens.
	blanks = " \t\r\n"
	// operators are the special characters of RFC 822, and those of other kinds of
	// addresses and of commands.
	operators = `|%!()<>@,;:\".[]`
)

// is reports whether the token is the operator op.
func (t token) is(op string) bool { return t.kind == operator && t.text == op }

// scan appends the tokens of a line to tokens. It fails on none: what is not closed
// ends with the line.
func scan(tokens []token, line string) []token {
	s := scanner{rest: line}
	for s.skipBlanks(); s.rest != ""; s.skipBlanks() {
		tokens = append(tokens, s.next())
	}
	return tokens
}

// scanner is what is left of a line.
type scanner struct{ rest string }

func (s *scanner) skipBlanks() { s.rest = strings.TrimLeft(s.rest, blanks) }

// next returns the token that starts here.
func (s *scanner) next() token {
	c := s.rest[0]
	switch {
	case c == '(':
		return token{comment, s.comment()}
	case c == '[':
		return token{literal, s.enclosed("]")}
	case c == '"':
		return token{quoted, s.enclosed(`"`)}
	case c != '\\' && strings.IndexByte(operators, c) >= 0:
		op := s.rest[:1]
		s.rest = s.rest[1:]
		return token{operator, op}
	}
	text := s.collect(blanks + operators)
	if strings.ContainsFunc(text, needsQuotes) {
		return token{quoted, text}
	}
	return token{atom, text}
}

// enclosed returns the text between the opening character, which is here, and the
// closing one. It skips both.
func (s *scanner) enclosed(end string) string {
	s.rest = s.rest[1:]
	text := s.collect(end)
	if s.rest != "" {
		s.rest = s.rest[1:]
	}
	return text
}

// collect returns the text before the first character of stop. A backslash takes
// the meaning from the character after it, and is left out. All white space becomes
// spaces.
func (s *scanner) collect(stop string) string {
	n := strings.IndexAny(s.rest, stop)
	if n < 0 {
		n = len(s.rest)
	}
	if !strings.ContainsAny(s.rest[:n], "\\\t\r\n") && (n == len(s.rest) || s.rest[n] != '\\') {
		text := s.rest[:n]
		s.rest = s.rest[n:]
		return text
	}
	return s.unescape(stop)
}

// unescape is collect for text that differs from what the line has.
func (s *scanner) unescape(stop string) string {
	var text []byte
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		switch {
		case c == '\\':
			if i++; i == len(s.rest) {
				continue
			}
			c = s.rest[i]
		case strings.IndexByte(stop, c) >= 0:
			s.rest = s.rest[i:]
			return string(text)
		}
		if strings.IndexByte(blanks, c) >= 0 {
			c = ' '
		}
		text = append(text, c)
	}
	s.rest = ""
	return string(text)
}

// comment returns a comment as it stands. Comments nest.
func (s *scanner) comment() string {
	depth := 0
	for i := 0; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			text := s.rest[:i+1]
			s.rest = s.rest[i+1:]
			return text
		}
	}
	text := s.rest
	s.rest = ""
	return text
}

// needsQuotes reports whether a character cannot be part of an atom, where a
// backslash has put it. Characters outside ASCII can.
func needsQuotes(c rune) bool {
	return c <= ' ' || c == 0x7f || c < 0x80 && strings.IndexByte(operators, byte(c)) >= 0
}
