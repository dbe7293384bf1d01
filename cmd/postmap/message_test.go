package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// messageLines are what generated messages consist of.
var messageLines = []string{
	"Subject: text", "X-One : blank before the colon", "\tcontinued", "  continued", " ", "", "", "", "no header", "From someone", ":", " : x",
	"Content-Type: text/plain", "Content-Type: text/html; boundary=a", "content-type: MESSAGE/RFC822", "Content-Type: message/global",
	"Content-Type: message/partial", "Content-Type: multipart/mixed; boundary=a", "Content-Type: multipart/mixed; boundary=\"b c\"",
	"Content-Type: multipart/digest; charset=x; BOUNDARY=a", "Content-Type: multipart / mixed (comment (nested) \\) ) ;", "\tboundary = b",
	"\tboundary=\"quoted \\\" and", " folded\"", "; boundary=(c) ab ; boundary=cd", "Content-Type: multipart/mixed; boundary=a; boundary=b",
	"Content-Type: multipart", "Content-Type: multipart/x; boundary=", "Content-Type: ;boundary=a", "Content-Type:", "Content-Type: application/x",
	"Content-Type: (unclosed multipart/mixed; boundary=a", "Content-Type: \"multipart\"/mixed; boundary=a", "Content-Type: multipart/x; boundary=;",
	"--", "--a", "--a--", "--ab", "--b c", "--b--", "--b", "--cd", "--quoted \" and folded--", "---", "--a trailing", "- --a", "--;", "\x80: x", "body",
}

// message returns a generated message: half of them are made of random lines.
func message(r *rand.Rand) string {
	var lines []string
	if r.IntN(2) == 0 {
		for range 1 + r.IntN(40) {
			lines = append(lines, pick(r, messageLines))
			if r.IntN(4) == 0 {
				lines = append(lines, "")
			}
		}
	} else {
		lines = entity(r, 4)
		for range r.IntN(3) { // damage
			at := r.IntN(len(lines))
			lines = slices.Delete(lines, at, at+1)
			lines = slices.Insert(lines, r.IntN(len(lines)+1), pick(r, messageLines))
		}
	}
	text := strings.Join(lines, "\n") + "\n"
	if r.IntN(10) == 0 {
		text += "last line without newline"
	}
	return text
}

// probe looks different as a header and as text.
var probe = []string{"X-Probe : x", "  continued"}

// entity returns the lines of a header and a body, which has parts down to a depth.
func entity(r *rand.Rand, depth int) []string {
	lines := slices.Clone(probe)
	body := append([]string{""}, probe...)
	kind := r.IntN(4)
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		lines = append(lines, "Content-Type: message/rfc822")
		body = append([]string{""}, entity(r, depth-1)...)
	case 2, 3:
		boundary := []string{"a", "ab", "b", "cd", "e f"}[r.IntN(5)]
		lines = append(lines, []string{"Content-Type: multipart/mixed", "Content-Type: multipart/digest"}[r.IntN(2)]+`; boundary="`+boundary+`"`)
		for range r.IntN(4) {
			body = append(append(body, "--"+boundary), entity(r, depth-1)...)
		}
		if r.IntN(3) > 0 {
			body = append(body, "--"+boundary+"--")
		}
		body = append(body, probe...)
	}
	return append(append(lines, probe...), body...)
}

// TestMessagesAgainstPostfix compares what headers and body lines both programs
// find in generated messages. The table has a result for every key.
func TestMessagesAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	options := []string{"-h", "-b", "-hb", "-hm", "-bm", "-hbm"}
	limits := [][]string{nil, {"header_size_limit = 20"}, {"mime_nesting_limit = 1", "mime_boundary_length_limit = 1"}}
	for i, limit := range limits {
		p := newPlace(t, limit...)
		r := rand.New(rand.NewPCG(11, uint64(i)))
		for range 120 {
			text := message(r)
			option := options[r.IntN(len(options))]
			got, want := p.ours(text, option, "-q", "-", "static:found"), p.theirs(text, option, "-q", "-", "static:found")
			if got != want {
				t.Fatalf("%v: postmap %s of\n%s\nis %+v\nwant %+v", limit, option, text, got, want)
			}
		}
	}
}

// TestDeepNesting goes beyond mime_nesting_limit.
func TestDeepNesting(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	p := newPlace(t, "mime_nesting_limit = 5")
	var text strings.Builder
	for depth := range 12 {
		fmt.Fprintf(&text, "Content-Type: multipart/mixed; boundary=x%cx\n\n--x%cx\n", 'a'+depth, 'a'+depth)
	}
	got, want := p.ours(text.String(), "-hbm", "-q", "-", "static:found"), p.theirs(text.String(), "-hbm", "-q", "-", "static:found")
	if got != want || !strings.Contains(got.stdout, "\tfound\n") {
		t.Errorf("%+v, want %+v", got, want)
	}
}
