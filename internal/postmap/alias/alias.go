// Package alias reads the lines of alias files, aliases(5): "name: value, value...".
// Names are local parts of mail addresses, values are mail addresses, |command,
// /file/name, or :include:/file/name, all in the lexical form of RFC 822.
package alias

import (
	"errors"
	"slices"
	"strings"
)

// Errors of Parse. The texts are Postfix's.
var (
	ErrNoPair   = errors.New("need name:value pair")
	ErrNotLocal = errors.New("name must be local and have no domain")
)

// Parse returns the key and the value that a logical line of an alias file puts
// into a table: the name without quotes, because that is what local(8) asks for,
// and the value with normal quotes and spacing, because local(8) reads it again. A
// line without any text gives ok == false and no error.
func Parse(line string) (key, value string, ok bool, err error) {
	var few [32]token // on the stack
	tokens := scan(few[:0], line)
	if len(tokens) == 0 {
		return "", "", false, nil
	}
	colon := slices.IndexFunc(tokens, isOperator(":"))
	if colon <= 0 || colon == len(tokens)-1 {
		return "", "", false, ErrNoPair
	}
	name, values := tokens[:colon], tokens[colon+1:]
	switch {
	case slices.ContainsFunc(name, isOperator(",")):
		return "", "", false, ErrNoPair
	case slices.ContainsFunc(name, isOperator("@")), slices.ContainsFunc(name, isOperator("%")):
		return "", "", false, ErrNotLocal
	}
	return plain(name), quote(values), true, nil
}

func isOperator(op string) func(token) bool {
	return func(t token) bool { return t.is(op) }
}

// plain returns the text of tokens without quotes.
func plain(tokens []token) string {
	text := make([]byte, 0, 128)
	for i, t := range tokens {
		if t.kind == literal {
			text = append(append(append(text, '['), t.text...), ']')
		} else {
			text = append(text, t.text...)
		}
		if i+1 < len(tokens) && apart(t, tokens[i+1]) {
			text = append(text, ' ')
		}
	}
	return string(text)
}

// quote returns the text of tokens with what quotes they need. After a comma there
// is a space, at the end of the line, too.
func quote(tokens []token) string {
	text := make([]byte, 0, 128)
	for i, t := range tokens {
		switch t.kind {
		case quoted:
			text = append(escape(append(text, '"'), t.text, `"\`), '"')
		case literal:
			text = append(escape(append(text, '['), t.text, `\`), ']')
		default:
			text = append(text, t.text...)
		}
		if t.is(",") || i+1 < len(tokens) && apart(t, tokens[i+1]) {
			text = append(text, ' ')
		}
	}
	return string(text)
}

// escape appends s, with a backslash before each character of special.
func escape(text []byte, s, special string) []byte {
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			text = append(text, '\\')
		}
		text = append(text, s[i])
	}
	return text
}

// apart reports whether there is a space between two tokens: between words, and
// before an address in angle brackets.
func apart(a, b token) bool {
	return b.is("<") || a.kind != operator && b.kind != operator
}
