package socketmap

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// FuzzReadNetstring checks that a reply is either refused or is the netstring that
// its contents would be sent as, except for zeros in front of the length.
func FuzzReadNetstring(f *testing.F) {
	for _, text := range []string{"5:OK ab,", ":,", "0:,", "007:OK abcd,", "5:OK ab", "5:OK ab;", "5OK ab,", "-1:,", "101:", "99999999999999999999:", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		const limit = 100
		r := bufio.NewReaderSize(bytes.NewReader(input), 16)
		text, err := readNetstring(r, nil, limit)
		if err != nil {
			return
		}
		if len(text) > limit {
			t.Fatalf("%d bytes, more than the limit", len(text))
		}
		rest := make([]byte, len(input))
		n, _ := r.Read(rest)
		digits, _, _ := strings.Cut(string(input), ":")
		if want := len(digits) + 1 + len(text) + 1; !bytes.HasSuffix(input[:want], append(text, ',')) || len(input) < want+n {
			t.Fatalf("%q is read from %q", text, input)
		}
	})
}

func TestRequest(t *testing.T) {
	if got := string(appendNetstring(nil, "name", []byte("a key"))); got != "10:name a key," {
		t.Errorf("request %q", got)
	}
}
