package protocol

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What ours does in conversations in which Postfix does not answer properly.
const (
	asRecorded  = iota
	answersAll  // requests in one packet: Postfix loses all but the first
	hangsUp     // half a request: Postfix stays silent from then on
	otherStatus // Postfix dies, or refuses the other dialect; ours replies
)

var onPurpose = []struct {
	prefix string
	kind   int
}{
	{"pipelined-one-and-half-silence", hangsUp},
	{"pipelined-", answersAll},
	{"proto-empty-then-valid", answersAll},
	{"half-request-silence-other", asRecorded},
	{"half-request-silence", hangsUp},
	{"half-request-daemon-timeout", hangsUp},
	{"request-without-terminator", hangsUp},
	{"slow-drip", hangsUp},
	{"proto-integer-negative", otherStatus},
	{"proto-integer-huge/1", otherStatus},
	{"proto-integer-max", otherStatus},
	{"proto-other-dialect", otherStatus},
}

func purpose(name string) int {
	for _, p := range onPurpose {
		if strings.HasPrefix(name, p.prefix) {
			return p.kind
		}
	}
	return asRecorded
}

// TestRecordedConversations plays the recorded malformed, split, slow, large
// and pipelined requests and compares replies (apart from the flags of a
// table, which the service behind would know), hang-ups and warnings.
func TestRecordedConversations(t *testing.T) {
	for file, dialect := range recordFiles {
		records := loadRecords(t, file, "proto-", "half-", "pipelined-", "split-", "slow-", "large-key", "large-table",
			"large-attribute", "large-request", "request-without", "full-request-then", "connect-then", "idle-")
		for _, r := range records {
			t.Run(strings.TrimSuffix(file, ".jsonl")+"/"+r.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { playRecord(t, r, dialect) })
			})
		}
	}
}

func playRecord(t *testing.T, r record, dialect Dialect) {
	client, server := newDuplex()
	var warnings []string
	opt := ServerOptions{DefaultDialect: dialect, Warn: func(s string) { warnings = append(warnings, "warning: "+s) }}
	go serve(t, server, opt, tables)
	var in sink
	go in.readFrom(client)

	closed := false
	sent, complete := "", 0
	for _, s := range r.Steps {
		if s.Conn != "" || s.Connect != "" {
			break // a second client
		}
		playStep(t, client, s)
		if s.Recv == nil && !s.EOF && !s.Timeout && !s.Close {
			continue // what came is for the next step
		}
		if s.Send != nil {
			sent += string(*s.Send)
		}
		before := complete
		complete = countRequests(sent)
		got, eof := in.take()
		closed = checkStep(t, purpose(r.Name), s, complete-before, got, eof)
		if closed || s.Close {
			break
		}
	}
	client.Close()
	synctest.Wait()
	checkWarnings(t, r, warnings)
	if purpose(r.Name) == hangsUp && !closed {
		t.Error("the server did not hang up")
	}
}

func playStep(t *testing.T, client duplex, s recordStep) {
	if s.Send != nil {
		data := []byte(*s.Send)
		size := len(data)
		if s.Chunk > 0 {
			size = s.Chunk
		}
		for chunk := range slices.Chunk(data, size) {
			if _, err := client.Write(chunk); err != nil {
				break // the server has hung up
			}
			time.Sleep(time.Duration(s.DelayMS) * time.Millisecond)
		}
	}
	time.Sleep(time.Duration((s.SleepS + s.WaitedS + s.AfterS) * float64(time.Second)))
	if s.Shutdown == "write" {
		client.CloseWrite()
	}
	if s.Close {
		client.Close()
	}
	synctest.Wait()
}

// checkStep compares what the server did since the step before with what was
// recorded; requests is how many were completed. It reports whether the
// conversation is over.
func checkStep(t *testing.T, kind int, s recordStep, requests int, got string, eof bool) bool {
	t.Helper()
	want := ""
	if s.Recv != nil {
		want = string(*s.Recv)
	}
	switch {
	case kind == hangsUp && s.Timeout, kind == hangsUp && s.EOF:
		if got != "" {
			t.Errorf("reply to half a request: %s", visible(got))
		}
		if !eof {
			t.Errorf("the server did not hang up")
		}
		return true
	case kind == answersAll && s.Send != nil:
		if !strings.HasPrefix(shape(got), shape(want)) || countReplies(got) != requests {
			t.Errorf("after %s\n got %s\nwant %d replies, first %s", visible(string(*s.Send)), visible(got), requests, visible(want))
		}
		return eof
	case kind == otherStatus && s.Send != nil:
		if countReplies(got) != 1 {
			t.Errorf("got %s, want one reply", visible(got))
		}
		return s.EOF
	}
	if shape(got) != shape(want) {
		t.Errorf("got  %s\nwant %s", visible(got), visible(want))
	}
	if eof != (s.EOF || s.Close) {
		t.Errorf("connection closed: %v, want %v", eof, s.EOF)
	}
	return eof
}

func checkWarnings(t *testing.T, r record, got []string) {
	t.Helper()
	want := protocolWarnings(r.Log)
	switch kind := purpose(r.Name); {
	case kind == asRecorded && !slices.EqualFunc(got, want, sameLine):
		t.Errorf("warnings\n got %q\nwant %q", got, want)
	case kind == hangsUp && len(got) != 1:
		t.Errorf("warnings %q, want one", got)
	}
}

// sameLine compares a warning with one that Postfix may have cut.
func sameLine(got, want string) bool {
	return got == want || len(want) >= 2000 && strings.HasPrefix(got, want)
}

func protocolWarnings(log []latin1) []string {
	var out []string
	for _, l := range log {
		if s := string(l); strings.Contains(s, "request for unapproved") || strings.Contains(s, "to approve this") {
			continue
		}
		out = append(out, string(l))
	}
	return out
}

var tableFlags = regexp.MustCompile("\x00flags\x00[0-9]+\x00")

// shape hides the flags of replies other than BAD and DENY.
func shape(replies string) string {
	parts := strings.SplitAfter(replies, "\x00\x00")
	for i, p := range parts {
		if !strings.HasPrefix(p, "status\x003\x00") && !strings.HasPrefix(p, "status\x004\x00") {
			parts[i] = tableFlags.ReplaceAllString(p, "\x00flags\x00N\x00")
		}
	}
	return strings.Join(parts, "")
}

func countReplies(s string) int { return strings.Count(s, "status\x00") }

// countRequests counts the lists in s that are not empty and have an end.
func countRequests(s string) int {
	n, attributes := 0, 0
	for {
		name, rest, ok := strings.Cut(s, "\x00")
		switch {
		case !ok:
			return n
		case name != "":
			_, rest, _ = strings.Cut(rest, "\x00")
			attributes++
		case attributes > 0:
			n++
			attributes = 0
		}
		s = rest
	}
}
