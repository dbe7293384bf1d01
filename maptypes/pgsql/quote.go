package pgsql

import (
	"bytes"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/query"
)

// lexeme is what a place of a query stands in (postgresql.org, "Lexical
// Structure").
type lexeme byte

const (
	bare      lexeme = iota // no quotes
	plain                   // 'text': standard_conforming_strings decides about backslashes
	escaped                 // E'text' or U&'text'
	ident                   // "name"
	unicodeID               // U&"name"
	dollar                  // $tag$text$tag$, out of which nothing can be quoted
	toLineEnd               // -- comment
	block                   // a comment that may contain others
)

// quotes has the lexeme of each place of a query. That depends on whether a
// backslash escapes in 'text'.
type quotes struct {
	standard, backslash []lexeme
}

func newQuotes(literals []string) quotes {
	return quotes{standard: around(literals, true), backslash: around(literals, false)}
}

// around finds what each place stands in. The text in a place never ends it.
func around(literals []string, standard bool) []lexeme {
	places := make([]lexeme, 0, len(literals))
	s := scanner{standard: standard}
	for _, text := range literals[:len(literals)-1] {
		s.scan(text)
		s.closed = bare
		places = append(places, s.in)
	}
	return places
}

// missing reports whether there is a place where nothing can be quoted.
func (q quotes) missing() bool {
	return bytes.ContainsFunc(lexemeBytes(q.standard), func(r rune) bool { return lexeme(r) == bare || lexeme(r) == dollar })
}

func lexemeBytes(list []lexeme) []byte {
	text := make([]byte, len(list))
	for i, l := range list {
		text[i] = byte(l)
	}
	return text
}

// scanner goes through the text of a query.
type scanner struct {
	standard bool
	in       lexeme
	tag      string // of dollar, with the dollars
	depth    int    // of block

	// closed is the kind of 'text' that has just ended, with nothing but
	// white space since: with a newline in that, it goes on at the next '.
	closed  lexeme
	newline bool
}

func (s *scanner) scan(text string) {
	for i := 0; i < len(text); {
		switch s.in {
		case bare:
			i += s.begin(text, i)
		case block:
			i += s.comment(text[i:])
		case toLineEnd:
			if text[i] == '\n' {
				s.in, s.newline = bare, true
			}
			i++
		case dollar:
			if strings.HasPrefix(text[i:], s.tag) {
				i += len(s.tag) - 1
				s.in = bare
			}
			i++
		default:
			i += s.quoted(text[i:])
		}
	}
}

// begin looks at text outside of all quotes, and returns how much it has seen.
func (s *scanner) begin(text string, i int) int {
	c := text[i]
	switch {
	case c == '\n' || c == '\r':
		s.newline = true
		return 1
	case c == ' ' || c == '\t' || c == '\f' || c == '\v':
		return 1
	case strings.HasPrefix(text[i:], "--"):
		s.in = toLineEnd
		return 2
	}
	continued := s.closed
	if !s.newline {
		continued = bare
	}
	s.closed, s.newline = bare, false
	switch {
	case c == '\'' && continued != bare:
		s.in = continued
	case c == '\'':
		s.in = s.kind(text[:i], plain, escaped)
	case c == '"':
		s.in = s.kind(text[:i], ident, unicodeID)
	case strings.HasPrefix(text[i:], "/*"):
		s.in, s.depth = block, 1
		return 2
	case c == '$' && (i == 0 || !inName(text[i-1])):
		if s.tag = dollarTag(text[i:]); s.tag != "" {
			s.in = dollar
			return len(s.tag)
		}
	}
	return 1
}

// kind tells by the letters in front of quotes what they open.
func (s *scanner) kind(before string, usual, withPrefix lexeme) lexeme {
	lower := strings.ToLower(before)
	for _, prefix := range []string{"u&", "e"} {
		rest, ok := strings.CutSuffix(lower, prefix)
		if ok && (prefix != "e" || usual == plain) && (rest == "" || !inName(rest[len(rest)-1])) {
			return withPrefix
		}
	}
	return usual
}

// inName reports whether c can be part of a name.
func inName(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// dollarTag returns the opening $tag$ of text, or nothing.
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '$':
			return text[:i+1]
		case !inName(c) || i == 1 && '0' <= c && c <= '9':
			return ""
		}
	}
	return ""
}

// comment looks at text in a comment, and returns how much it has seen.
func (s *scanner) comment(text string) int {
	switch {
	case strings.HasPrefix(text, "/*"):
		s.depth++
		return 2
	case strings.HasPrefix(text, "*/"):
		if s.depth--; s.depth == 0 {
			s.in = bare
		}
		return 2
	}
	return 1
}

// quoted looks at text between quotes, and returns how much it has seen. Doubled
// quotes close and open again.
func (s *scanner) quoted(text string) int {
	mark := byte('\'')
	if s.in == ident || s.in == unicodeID {
		mark = '"'
	}
	switch {
	case text[0] == '\\' && (s.in == escaped || s.in == plain && !s.standard):
		return min(2, len(text))
	case text[0] == mark && len(text) > 1 && text[1] == mark:
		return 2
	case text[0] == mark:
		if mark == '\'' {
			s.closed = s.in
		}
		s.in = bare
	}
	return 1
}

// quoter returns the function that quotes for a connection. Outside of quotes it
// does what Postfix does.
func (q quotes) quoter(c *conn) query.Quote {
	places, set := q.backslash, c.encoding()
	standard := c.standardStrings()
	if standard {
		places = q.standard
	}
	return func(dst, value []byte, place int) []byte {
		switch places[place] {
		case toLineEnd, block:
			return dst // a comment needs no key
		case ident:
			return double(dst, value, set, '"', false)
		case unicodeID:
			return double(dst, value, set, '"', true)
		case escaped:
			return double(dst, value, set, '\'', true)
		}
		return double(dst, value, set, '\'', !standard)
	}
}

// double appends value with each mark doubled, and each backslash where those
// are special. Neither is special as the second half of a character.
func double(dst, value []byte, set encoding, mark byte, backslash bool) []byte {
	for i := 0; i < len(value); {
		c := value[i]
		if c == mark || c == '\\' && backslash {
			dst = append(dst, c)
		}
		n := set.charLen(value[i:])
		dst = append(dst, value[i:i+n]...)
		i += n
	}
	return dst
}
