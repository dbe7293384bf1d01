package pgsql

import (
	"bytes"
	"unicode/utf8"
)

// encoding is the client_encoding of a connection, by the server's name for it.
type encoding string

// halves are the encodings in which the byte of a backslash can be the second
// half of a character (postgresql.org, "Character Set Support": those that a
// server does not use itself). In all others it is always a backslash. The byte
// of a quote is always a quote.
var halves = map[encoding]func(c byte) bool{
	"BIG5":           high,
	"GBK":            high,
	"UHC":            high,
	"JOHAB":          high,
	"GB18030":        high,
	"SJIS":           shiftJIS,
	"SHIFT_JIS_2004": shiftJIS,
}

func high(c byte) bool     { return c >= 0x80 }
func shiftJIS(c byte) bool { return c >= 0x80 && (c < 0xa1 || c > 0xdf) }

// charLen returns the length of the character that text begins with.
func (e encoding) charLen(text []byte) int {
	lead := halves[e]
	switch {
	case lead == nil || !lead(text[0]) || len(text) < 2:
		return 1
	case e == "GB18030" && len(text) >= 4 && digit(text[1]):
		return 4
	}
	return 2
}

// valid reports whether a key can be in a table at all. A server would refuse a
// statement with any other, and that would not be temporary.
func (e encoding) valid(key []byte) bool {
	switch {
	case bytes.IndexByte(key, 0) >= 0:
		return false
	case e == "UTF8":
		return utf8.Valid(key)
	}
	for len(key) > 0 {
		n := e.charLen(key)
		if !e.whole(key[:n]) {
			return false
		}
		key = key[n:]
	}
	return true
}

// whole reports whether a character is all there. One that is not would take in
// what follows it.
func (e encoding) whole(c []byte) bool {
	switch {
	case len(c) == 4:
		return high(c[2]) && digit(c[3])
	case len(c) == 2:
		return c[1] >= '0' && (e != "GB18030" || !digit(c[1]))
	}
	return halves[e] == nil || !halves[e](c[0])
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
