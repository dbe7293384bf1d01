package tcp

import (
	"bytes"
	"fmt"
)

// maxReply is the limit, in bytes, of a reply with its newline (tcp_table(5)).
const maxReply = 4096

// appendRequest appends the line that asks for a key.
func appendRequest(dst, key []byte) []byte {
	dst = append(dst, "get "...)
	dst = appendQuoted(dst, key)
	return append(dst, '\n')
}

const hexDigits = "0123456789ABCDEF"

// appendQuoted appends text with %XX for each byte that is no printable ASCII
// character, a space, or %.
func appendQuoted(dst, text []byte) []byte {
	for _, c := range text {
		if c > ' ' && c < 0x7f && c != '%' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// unquote replaces each %XX in text, in place. ok is false when one is malformed.
func unquote(text []byte) (raw []byte, ok bool) {
	raw = text[:0]
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if len(text)-i < 3 {
				return nil, false
			}
			high, okHigh := hexValue(text[i+1])
			low, okLow := hexValue(text[i+2])
			if !okHigh || !okLow {
				return nil, false
			}
			c = high<<4 | low
			i += 2
		}
		raw = append(raw, c)
	}
	return raw, true
}

func hexValue(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// maxShown is the limit, in bytes, of what is logged of a reply.
const maxShown = 100

// parseReply takes a reply apart, in place. found is false when it says that there
// is no such key. The error is that of a reply that says neither. What follows a
// NUL does not count, in the line and in the value.
func parseReply(line []byte) (value []byte, found bool, err error) {
	line, _, _ = bytes.Cut(line, []byte{0})
	shown := printable(line[:min(len(line), maxShown)])
	if !wellFormed(line) {
		return nil, false, fmt.Errorf("malformed reply: %s", shown)
	}
	value, ok := unquote(line[4:])
	if !ok {
		return nil, false, fmt.Errorf("malformed reply: %s", shown)
	}
	switch line[0] {
	case '2':
		value, _, _ = bytes.Cut(value, []byte{0})
		return value, true, nil
	case '4':
		return nil, false, fmt.Errorf("soft error: %s", shown)
	case '5':
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("bad status code: %s", shown)
}

// printable returns text with _ for each byte that is no printable ASCII character.
func printable(text []byte) string {
	text = bytes.Clone(text)
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '_'
		}
	}
	return string(text)
}

// wellFormed reports whether a reply begins with a status of three digits and
// white space.
func wellFormed(line []byte) bool {
	if len(line) < 4 || bytes.IndexByte([]byte(" \t\n\v\f\r"), line[3]) < 0 {
		return false
	}
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
