package textfile

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoValue is the error of SplitEntry for a line that lacks a key or a value.
var ErrNoValue = errors.New("expected format: key whitespace value")

// SplitEntry splits a logical line of a table source into its key and value, as
// postmap(1) describes: "key whitespace value". White space inside double quotes
// or after a backslash belongs to the key, which keeps its quotes and
// backslashes.
func SplitEntry(line string) (key, value string, err error) {
	end, balanced := scanQuoted(line, "")
	if !balanced {
		return "", "", fmt.Errorf("unbalanced '\"' in '%s'", line)
	}
	key, value = line[:end], TrimSpace(line[end:])
	if key == "" || value == "" {
		return "", "", ErrNoValue
	}
	return key, value, nil
}

// scanQuoted returns the length of the text before the first white space or
// byte of stop that is neither in double quotes nor behind a backslash, and
// whether all quotes up to there are closed.
func scanQuoted(text, stop string) (end int, balanced bool) {
	quoted := false
	for end < len(text) {
		switch c := text[end]; {
		case c == '\\':
			if end++; end == len(text) {
				return end, !quoted
			}
		case IsSpace(c) || strings.IndexByte(stop, c) >= 0:
			if !quoted {
				return end, true
			}
		case c == '"':
			quoted = !quoted
		}
		end++
	}
	return end, !quoted
}

// TrimSpace removes white space as IsSpace knows it from both ends of text.
func TrimSpace(text string) string {
	for text != "" && IsSpace(text[0]) {
		text = text[1:]
	}
	for text != "" && IsSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}
