package rulefile

import (
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Keyword reports whether a line is the given statement, "if" or "endif" in any
// case, and returns the text after it. A letter or digit right after the word
// makes it something else.
func Keyword(text, word string) (rest string, ok bool) {
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) {
		return "", false
	}
	rest = text[len(word):]
	return rest, rest == "" || !isAlnum(rest[0])
}

// Negation strips white space and "!" from the start of a pattern. Each "!"
// inverts the sense of the match.
func Negation(text string) (rest string, negate bool) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '!':
			negate = !negate
		case !textfile.IsSpace(text[i]):
			return text[i:], negate
		}
	}
	return "", negate
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
