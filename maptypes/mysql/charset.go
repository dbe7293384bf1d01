package mysql

// multibyte describes a character set in which the byte of a backslash can be
// the second half of a character. In all others, UTF-8 among them, that byte is
// always a backslash. The byte of a quote is a quote in all that a server takes
// from a client.
type multibyte struct {
	leads  []span // the first byte of a character of two bytes
	trails []span // the second byte
	quads  bool   // GB18030: also four bytes, the second and fourth a digit
}

// span is a range of bytes, inclusive.
type span struct{ from, to byte }

var shiftJIS = &multibyte{
	leads:  []span{{0x81, 0x9f}, {0xe0, 0xfc}},
	trails: []span{{0x40, 0x7e}, {0x80, 0xfc}},
}

// multibytes has the sets of MySQL and MariaDB by their names there.
var multibytes = map[string]*multibyte{
	"big5":    {leads: []span{{0xa1, 0xf9}}, trails: []span{{0x40, 0x7e}, {0xa1, 0xfe}}},
	"cp932":   shiftJIS,
	"sjis":    shiftJIS,
	"gbk":     {leads: []span{{0x81, 0xfe}}, trails: []span{{0x40, 0x7e}, {0x80, 0xfe}}},
	"gb18030": {leads: []span{{0x81, 0xfe}}, trails: []span{{0x40, 0x7e}, {0x80, 0xfe}}, quads: true},
}

func in(c byte, spans []span) bool {
	for _, s := range spans {
		if s.from <= c && c <= s.to {
			return true
		}
	}
	return false
}

// lead reports whether c begins a character of several bytes.
func (m *multibyte) lead(c byte) bool { return m != nil && in(c, m.leads) }

// charLen returns the length of the character that text begins with: 2 or 4, or
// 1 also when the rest of a longer one is missing.
func (m *multibyte) charLen(text []byte) int {
	if !m.lead(text[0]) || len(text) < 2 {
		return 1
	}
	if in(text[1], m.trails) {
		return 2
	}
	digit := span{'0', '9'}
	if m.quads && len(text) >= 4 && in(text[1], []span{digit}) && m.lead(text[2]) && in(text[3], []span{digit}) {
		return 4
	}
	return 1
}
