package redis

import (
	"strings"
	"testing"
)

// FuzzScanner checks that the verdict about a stream does not depend on how it is
// cut, and that nothing is let through after a bad reply.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\nab\r\nc\r\n*0\r\n*-1\r\n", "*2\r\n$1\r\na\r\n*1\r\n:3\r\n+x\r\n",
		"*3\r\n*2\r\n", "$9999999999999\r\n", "$+5\r\n", "$1-\r\n", "%1\r\n", "\r\n", strings.Repeat("*1\r\n", 40),
	} {
		f.Add([]byte(seed), byte(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, step byte) {
		var whole, cut scanner
		verdict := whole.feed(stream)
		n := int(step)%7 + 1
		for rest := stream; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			cut.feed(rest[:min(n, len(rest))])
		}
		if verdict == cut.bad || whole != cut {
			t.Errorf("whole %+v, cut %+v", whole, cut)
		}
		if !verdict && whole.feed([]byte("+OK\r\n")) {
			t.Error("a bad stream is good again")
		}
		if verdict && (whole.pending < 0 || whole.skip < 0 || whole.pending > maxPending || whole.bytes > maxReply) {
			t.Errorf("%+v", whole)
		}
	})
}

func TestScannerFollowsReplies(t *testing.T) {
	for stream, good := range map[string]bool{
		"$5\r\nab\r\nc\r\n+OK\r\n":                                   true,
		"$5\r\nab\r\nc+\r\nOK\r\n":                                   false,
		"*2\r\n$3\r\n$9\r\r\n*1\r\n$-1\r\n:1\r\n":                    true,
		"$8388600\r\n":                                               false,
		"$8000000\r\n":                                               true,
		"*2\r\n$8000000\r\n" + strings.Repeat("x", 8000002):          true,
		"*2\r\n$8000000\r\n" + strings.Repeat("x", 8000002) + "\r\n": false,
		"*300000\r\n":                                                false,
		"*200000\r\n*200000\r\n":                                     false,
		"+" + strings.Repeat("x", 60000):                             true,
		"+" + strings.Repeat("x", 70000):                             false,
		strings.Repeat("*1\r\n", 70000):                              false,
		strings.Repeat("+OK\r\n", 900000):                            true,
	} {
		var s scanner
		if got := s.feed([]byte(stream)); got != good {
			t.Errorf("%.40q (%d bytes): %v", stream, len(stream), got)
		}
	}
}
