package sqlite

import (
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/query"
)

// quoter returns the function that quotes a key for the places of a query: in
// 'text' an apostrophe is doubled, in "text" the quotes are, in `name` the
// backticks (sqlite.org: "SQLite Keywords", "Literal Values"). Nothing else is
// special between those, a backslash in particular. Without quotes apostrophes
// are doubled, as in Postfix. A comment needs no key.
func quoter(literals []string) query.Quote {
	marks := make([]byte, 0, len(literals))
	var mark byte
	for _, text := range literals[:len(literals)-1] {
		mark = after(text, mark)
		marks = append(marks, mark)
	}
	return func(dst, value []byte, place int) []byte {
		switch mark := marks[place]; mark {
		case '-', '*':
			return dst
		case '"', '`':
			return double(dst, value, mark)
		default:
			return double(dst, value, '\'')
		}
	}
}

// double appends value with each mark in it doubled.
func double(dst, value []byte, mark byte) []byte {
	for _, c := range value {
		if c == mark {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return dst
}

// after returns which quotes are open at the end of a text when those in mark
// are open at its start; 0 is none. A key never closes them. Quotes in a comment
// and in a [name] are not quotes.
func after(text string, mark byte) byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case mark == ']' || mark == '\'' || mark == '"' || mark == '`':
			if c == mark { // doubled quotes close and open again
				mark = 0
			}
		case mark == '-':
			if c == '\n' {
				mark = 0
			}
		case mark == '*':
			if strings.HasPrefix(text[i:], "*/") {
				mark = 0
				i++
			}
		case c == '[':
			mark = ']'
		case c == '\'' || c == '"' || c == '`':
			mark = c
		case strings.HasPrefix(text[i:], "--"):
			mark = '-'
		case strings.HasPrefix(text[i:], "/*"):
			mark = '*'
			i++
		}
	}
	return mark
}

// warnUnquoted logs a warning for each expansion in the text of a query that
// does not stand between apostrophes. In "text" SQLite takes a key for the name
// of a column if there is one.
func warnUnquoted(env *maptypes.Env, name, text string) {
	var mark byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case mark == 0 && (c == '\'' || c == '"'):
			mark = c
		case mark == c:
			mark = 0
		}
		if c != '%' || mark == '\'' || i+1 == len(text) {
			continue
		}
		i++
		if text[i] != '%' {
			env.Warnf("%s:%s: query >%s< contains >%s< without the recommended '' quotes", Type, name, text, text[i-1:i+1])
		}
	}
}
