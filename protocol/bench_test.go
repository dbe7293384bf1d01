package protocol

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// endless repeats its bytes for ever, a read at a time.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

var benchRequests = []struct {
	name string
	text string
}{
	{"Lookup37", "request~lookup~table~hash:/etc/postfix/virtual~flags~16448~key~someone@example.com~~"},
	{"Lookup311", "request~lookup~table~hash:/etc/postfix/virtual~instance_flags~16448~flags~16464~key~someone@example.com~~"},
	{"Update311", "request~update~table~lmdb:/var/lib/postfix/verify~instance_flags~16448~flags~16464~key~someone@example.com~value~" + strings.Repeat("v", 200) + "~~"},
	{"Key32k", "request~lookup~table~regexp:/etc/postfix/header_checks~flags~16448~key~" + strings.Repeat("k", 32<<10) + "~~"},
}

func BenchmarkReadRequest(b *testing.B) {
	for _, r := range benchRequests {
		b.Run(r.name, func(b *testing.B) {
			c := NewServerConn(readWriter{Reader: &endless{data: wire(r.text)}}, ServerOptions{})
			var q Request
			b.SetBytes(int64(len(r.text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.ReadRequest(&q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriteReply(b *testing.B) {
	c := NewServerConn(readWriter{Writer: io.Discard}, ServerOptions{})
	q := Request{Kind: Lookup, Dialect: Dialect311}
	r := Reply{Flags: 16464, Value: []byte("someone@example.net")}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.WriteReply(&q, &r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSteadyStateDoesNotAllocate: requests and replies cost no memory once a
// connection is warm, also over a real connection with its deadlines.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, r := range benchRequests {
		c := NewServerConn(readWriter{&endless{data: wire(r.text)}, io.Discard}, ServerOptions{})
		checkAllocs(t, r.name, c)
	}
	client, server := socketPair(t)
	go io.Copy(io.Discard, client)
	go func() {
		requests := bytes.Repeat(wire(benchRequests[1].text), 100)
		for {
			if _, err := client.Write(requests[:len(requests)/2+7]); err != nil {
				return
			}
			if _, err := client.Write(requests[len(requests)/2+7:]); err != nil {
				return
			}
		}
	}()
	checkAllocs(t, "socket", NewServerConn(server, ServerOptions{}))
}

func checkAllocs(t *testing.T, name string, c *ServerConn) {
	t.Helper()
	var q Request
	reply := Reply{Value: []byte("value")}
	n := testing.AllocsPerRun(1000, func() {
		if err := c.ReadRequest(&q); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteReply(&q, &reply); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%s: %v allocations per request", name, n)
	}
}
