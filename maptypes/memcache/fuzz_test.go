package memcache

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"
)

// FuzzReadValue checks that a value is one that the server has sent for the key, and
// within the limit.
func FuzzReadValue(f *testing.F) {
	for _, reply := range []string{"END\r\n", "VALUE k 0 5\r\nvalue\r\nEND\r\n", "VALUE k 0 -1\r\n", "VALUE k 0 3\r\na\x00b\r\nEND\r\n", "ERROR\r\n", "VALUE x 0 1\r\nv\r\nEND\r\n", ""} {
		f.Add([]byte(reply))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		const maxLine, maxData = 40, 100
		r := bufio.NewReaderSize(bytes.NewReader(reply), 16)
		value, found, err := readValue(r, nil, []byte("k"), maxLine, maxData)
		if err != nil && found || !found && value != nil && err == nil || len(value) > maxData {
			t.Fatalf("%q: %q %v %v", reply, value, found, err)
		}
		if found && (!bytes.HasPrefix(reply, []byte("VALUE k ")) || !bytes.Contains(reply, value)) {
			t.Fatalf("%q is read from %q", value, reply)
		}
		if len(reply) > maxData {
			return
		}
		text, _, _ := bytes.Cut(reply, []byte{0})
		sent := fmt.Appendf(nil, "VALUE k 0 %d\r\n%s\r\nEND\r\n", len(text), text)
		value, found, err = readValue(bufio.NewReader(bytes.NewReader(sent)), nil, []byte("k"), maxLine, maxData)
		if err != nil || !found || !bytes.Equal(value, text) {
			t.Fatalf("%q comes back as %q %v %v", text, value, found, err)
		}
	})
}
