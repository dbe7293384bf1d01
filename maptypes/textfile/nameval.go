package textfile

import (
	"errors"
	"strings"
)

// SplitQuotedName splits "name = value". White space and = inside double quotes
// or after a backslash belong to the name, which keeps its quotes and
// backslashes.
func SplitQuotedName(text string) (name, value string, err error) {
	text = TrimSpace(text)
	if text == "" {
		return "", "", errors.New("no key found; expected format: key = value")
	}
	end, balanced := scanQuoted(text, "=")
	if !balanced {
		return "", "", errors.New("unbalanced '\"'")
	}
	value, ok := strings.CutPrefix(TrimSpace(text[end:]), "=")
	if !ok {
		return "", "", errors.New("missing '=' after attribute name")
	}
	return text[:end], TrimSpace(value), nil
}
