package maillog

import (
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// utf8Enabled holds smtputf8_enable, which decides for the whole program whether text outside of ASCII is printable.
var utf8Enabled atomic.Bool

func init() { utf8Enabled.Store(true) }

// Printable returns s with a question mark for every byte that is neither printable ASCII nor, with smtputf8_enable,
// part of a valid UTF-8 sequence, as Postfix logs text from clients. Other than Postfix it also replaces the control
// characters and line separators of Unicode (U+0080 to U+009F, U+2028, U+2029), which some viewers take as the end of a
// line.
func Printable(s string) string {
	allowUTF8 := utf8Enabled.Load()
	bad := firstUnprintable(s, allowUTF8)
	if bad < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		if bad < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:bad])
		b.WriteByte('?')
		s = s[bad+badSize(s[bad:], allowUTF8):]
		bad = firstUnprintable(s, allowUTF8)
	}
	return b.String()
}

// firstUnprintable returns the index of the first byte that has to be replaced, or -1.
func firstUnprintable(s string, allowUTF8 bool) int {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !allowUTF8 || (r == utf8.RuneError && size == 1) || isBreak(r) {
			return i
		}
		i += size
	}
	return -1
}

// badSize returns how many bytes one question mark stands for: a single byte, so that decoding starts afresh at the
// next one, or a whole Unicode control character.
func badSize(s string, allowUTF8 bool) int {
	if r, size := utf8.DecodeRuneInString(s); allowUTF8 && isBreak(r) {
		return size
	}
	return 1
}

func isBreak(r rune) bool {
	return (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029
}
