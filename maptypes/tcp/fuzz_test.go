package tcp

import (
	"bytes"
	"testing"
)

// FuzzParseReply checks that whatever a server sends is an answer or an error, and
// that an encoded value comes back as it was.
func FuzzParseReply(f *testing.F) {
	for _, line := range []string{"200 value", "200 a%20b", "500 no", "400 later", "200 %4", "", "\x00", "999 x", "200 a%00b"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		value, found, err := parseReply(bytes.Clone(line))
		if found && (err != nil || line[0] != '2' || bytes.IndexByte(value, 0) >= 0) || !found && value != nil {
			t.Fatalf("%q: %q %v %v", line, value, found, err)
		}
		text, _, _ := bytes.Cut(line, []byte{0})
		value, found, err = parseReply(append([]byte("200 "), appendQuoted(nil, text)...))
		if err != nil || !found || !bytes.Equal(value, text) {
			t.Fatalf("%q comes back as %q %v %v", text, value, found, err)
		}
		for _, c := range appendRequest(nil, line)[4:] {
			if (c <= ' ' || c > '~') && c != '\n' {
				t.Fatalf("a request for %q has the byte %q", line, c)
			}
		}
	})
}
