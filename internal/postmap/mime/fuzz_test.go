package mime

import (
	"errors"
	"strings"
	"testing"
)

var noLimits = Limits{HeaderSize: 1 << 30, BoundaryLength: 1 << 20, Nesting: 100}

// pieces returns what a Reader makes of a message: each header and body line.
func pieces(t *testing.T, parse bool, message string) []string {
	t.Helper()
	r := NewReader(parse, noLimits)
	var found []string
	add := func(text []byte) error { found = append(found, string(text)); return nil }
	r.Header, r.Body = add, add
	ends := 0
	r.HeaderEnd = func() error { ends++; return nil }
	for _, line := range strings.Split(message, "\n") {
		if err := r.Line([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if ends != 1 {
		t.Errorf("%q: the header ended %d times", message, ends)
	}
	return found
}

// squeeze leaves out what a Reader may add or remove: blanks before colons, and
// empty lines.
func squeeze(text string) string {
	return strings.NewReplacer(" ", "", "\t", "", "\n", "").Replace(text)
}

// FuzzReader: nothing of a message is lost, doubled, or put elsewhere.
func FuzzReader(f *testing.F) {
	f.Add("Subject: x\nContent-Type: multipart/mixed; boundary=\"a\"\n\nprolog\n--a\nX: y\n\ntext\n--a--\n")
	f.Add("Content-Type: message/rfc822\n\nSubject : inner\n folded\n\nbody")
	f.Add("no header\nat all")
	f.Add("Content-Type: (((\\")
	f.Add("Content-Type: multipart/x; boundary=\"a\\\"\n\t b\n\n--a\n--")
	f.Fuzz(func(t *testing.T, message string) {
		for _, parse := range []bool{false, true} {
			if got := squeeze(strings.Join(pieces(t, parse, message), "\n")); got != squeeze(message) {
				t.Errorf("%q: %q", message, got)
			}
		}
	})
}

// TestReaderStops: an error ends the reading.
func TestReaderStops(t *testing.T) {
	stop := errors.New("stop")
	for _, at := range []string{"header", "end", "body"} {
		r := NewReader(true, noLimits)
		fail := func(what string) error {
			if what == at {
				return stop
			}
			return nil
		}
		r.Header = func([]byte) error { return fail("header") }
		r.HeaderEnd = func() error { return fail("end") }
		r.Body = func([]byte) error { return fail("body") }
		var err error
		for _, line := range []string{"A: b", "", "body"} {
			err = errors.Join(err, r.Line([]byte(line)))
		}
		if !errors.Is(err, stop) {
			t.Errorf("%s: %v", at, err)
		}
	}
}
