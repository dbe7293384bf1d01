package maptypes

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Quote returns a key or value in double quotes, with escapes for what cannot be
// printed, as a step of a Trace shows it.
func Quote(text []byte) string { return strconv.Quote(string(text)) }

// Printable returns a text that has quotes of its own, a statement say, with
// escapes for what cannot be printed and for nothing else.
func Printable(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n <= 1 || !strconv.IsPrint(r) {
			quoted := strconv.Quote(string(text[:n]))
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.Write(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// Outcome returns what a step says about what a lookup returned.
func Outcome(value []byte, err error) string {
	switch Class(err) {
	case nil:
		return "found " + Quote(value)
	case ErrNotFound:
		return "not found"
	case ErrConfig:
		return withReason("configuration error", err)
	}
	return withReason("temporary error", err)
}

func withReason(class string, err error) string {
	if reason := Reason(err); reason != "" {
		return class + ": " + Printable([]byte(reason))
	}
	return class
}
