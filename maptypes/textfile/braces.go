package textfile

import (
	"fmt"
	"strings"
)

// CommaSpace are the characters that separate the words of a list in
// configuration text.
const CommaSpace = ", \t\r\n"

// NextWord returns the first word of a list and the text after it; ok is false
// when there is no further word. Separators between { and } belong to the word,
// as do the braces.
func NextWord(list, separators string) (word, rest string, ok bool) {
	for list != "" && strings.IndexByte(separators, list[0]) >= 0 {
		list = list[1:]
	}
	if list == "" {
		return "", "", false
	}
	depth := 0
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case depth == 0 && strings.IndexByte(separators, c) >= 0:
			return list[:i], list[i+1:], true
		}
	}
	return list, "", true
}

// Unbrace returns what is between the { that text starts with and the } that
// belongs to it. It is an error when there is no such pair, or when text follows
// it; the text in the braces is returned then nevertheless, as if a missing }
// stood at the end.
func Unbrace(text string) (inside string, err error) {
	switch n := braceLen(text); {
	case !strings.HasPrefix(text, "{"):
		return "", fmt.Errorf("no '{' at start of text in \"%s\"", text)
	case n == 0:
		return text[1:], fmt.Errorf("missing '}' in \"%s\"", text)
	case n != len(text):
		return text[1 : n-1], fmt.Errorf("syntax error after '}' in \"%s\"", text)
	default:
		return text[1 : n-1], nil
	}
}

// UnbraceTrim is Unbrace without the white space at both ends of the result.
func UnbraceTrim(text string) (inside string, err error) {
	inside, err = Unbrace(text)
	return TrimSpace(inside), err
}

// braceLen returns the length of the text from the { that it starts with up to
// and including the } that belongs to it, or 0 if there is no such pair.
func braceLen(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			if i == 0 {
				return 0
			}
			return i + 1
		}
	}
	return 0
}
