package config

import (
	"errors"
	"math"
	"strings"
)

// Two kinds of white space: separators end words and stand between the parts of an expression; spaces (isspace in the C
// locale) are trimmed from names and values.
const (
	separators = " \t\r\n"
	spaces     = separators + "\v\f"
)

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isAlnumRune(r rune) bool {
	return r < 0x80 && r != '_' && isNameByte(byte(r))
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// balanced returns the length of the parenthesized text that s starts with, parentheses included, or 0.
func balanced(s, parens string) int {
	if s == "" || s[0] != parens[0] {
		return 0
	}
	level := 0
	for i := range len(s) {
		switch s[i] {
		case parens[0]:
			level++
		case parens[1]:
			if level--; level == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// Errors of SplitNameValue, in Postfix's wording.
var (
	errNoName  = errors.New("missing attribute name")
	errNoEqual = errors.New("missing '=' after attribute name")
)

// SplitNameValue splits name = value. A name ends at white space or at the equals sign; it may be any text.
func SplitNameValue(s string) (name, value string, err error) {
	s = strings.TrimLeft(s, spaces)
	if s == "" || s[0] == '=' {
		return "", "", errNoName
	}
	n := strings.IndexAny(s, spaces+"=")
	if n < 0 {
		return "", "", errNoEqual
	}
	after, ok := strings.CutPrefix(strings.TrimLeft(s[n:], spaces), "=")
	if !ok {
		return "", "", errNoEqual
	}
	return s[:n], strings.Trim(after, spaces), nil
}

// cutInt reads a decimal number as C's strtol does: optional white space and sign, then digits.
func cutInt(s string) (n int64, rest string, ok bool) {
	t := strings.TrimLeft(s, spaces)
	negative := strings.HasPrefix(t, "-")
	if negative || strings.HasPrefix(t, "+") {
		t = t[1:]
	}
	i := 0
	for ; i < len(t) && '0' <= t[i] && t[i] <= '9'; i++ {
		d := int64(t[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, s, false // C knows one number more, the smallest
		}
		n = n*10 + d
	}
	if i == 0 {
		return 0, s, false
	}
	if negative {
		n = -n
	}
	return n, t[i:], true
}

// head returns the first n bytes of s.
func head(s string, n int) string {
	return s[:min(n, len(s))]
}
