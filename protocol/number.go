package protocol

import "math"

// parseUint reads an integer as Postfix does, with sscanf("%u%c"): white space
// in front, a sign, decimal digits, and nothing after them. Of a number that
// needs more than 32 bits the low 32 count, and one that needs more than 64 has
// them all set, as there. A negative number other than -0, which Postfix lets
// through, is refused: what comes of it is always an absurd set of flags.
func parseUint(p []byte) (uint32, bool) {
	for len(p) > 0 && isSpace(p[0]) {
		p = p[1:]
	}
	negative := false
	if len(p) > 0 && (p[0] == '+' || p[0] == '-') {
		negative = p[0] == '-'
		p = p[1:]
	}
	if len(p) == 0 {
		return 0, false
	}
	var n uint64
	tooLarge := false
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			tooLarge = true
		}
		n = n*10 + d
	}
	if negative && (n != 0 || tooLarge) {
		return 0, false
	}
	if tooLarge {
		return math.MaxUint32, true
	}
	return uint32(n), true
}

// isSpace is C's isspace in the POSIX locale.
func isSpace(c byte) bool {
	return c == ' ' || '\t' <= c && c <= '\r'
}
