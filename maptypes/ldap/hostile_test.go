package ldap_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Operations of the protocol (RFC 4511).
const (
	opBind       = 0
	opSearch     = 3
	opEntry      = 4
	opSearchDone = 5
)

// message encodes one message.
func message(id int64, op ber.Tag, parts ...*ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	for _, part := range parts {
		body.AppendChild(part)
	}
	m.AppendChild(body)
	return m.Bytes()
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

// result encodes a message that ends an operation.
func result(id int64, op ber.Tag, code int64) []byte {
	return message(id, op, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""), text(""), text("says the test"))
}

// entry encodes an entry with one value of maildrop.
func entry(id int64, value string) []byte {
	values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	values.AppendChild(text(value))
	attribute := ber.NewSequence("")
	attribute.AppendChild(text("maildrop"))
	attribute.AppendChild(values)
	attributes := ber.NewSequence("")
	attributes.AppendChild(attribute)
	return message(id, opEntry, text("uid=x,dc=example,dc=org"), attributes)
}

// fakeServer answers binds, and leaves searches to answer, which reports whether
// the connection goes on.
type fakeServer struct {
	b        *bench
	path     string
	accepted atomic.Int64
	answer   func(w io.Writer, id int64, asked int64) (more bool)
	asked    atomic.Int64
}

// newFake starts a server, and opens a table of it.
func newFake(t *testing.T, timeout string, answer func(w io.Writer, id, asked int64) bool) (*fakeServer, *maptypes.Handle) {
	t.Helper()
	b := newEmptyBench(t)
	f := &fakeServer{b: b, path: filepath.Join(b.dir, "s"), answer: answer}
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.accepted.Add(1)
			go f.serve(c)
		}
	}()
	spec := b.bare("fake", "server_host = ldapi://"+url.QueryEscape(f.path)+"\nsearch_base = dc=example,dc=org\nquery_filter = (uid=%s)\nlookup_timeout = "+timeout)
	return f, b.open(spec)
}

func (f *fakeServer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		m, err := ber.ReadPacket(r)
		if err != nil || len(m.Children) < 2 {
			return
		}
		id, _ := m.Children[0].Value.(int64)
		switch m.Children[1].Tag {
		case opBind:
			if _, err := c.Write(result(id, opBind+1, 0)); err != nil {
				return
			}
		case opSearch:
			if !f.answer(c, id, f.asked.Add(1)) {
				return
			}
		default:
			return
		}
	}
}

// send writes messages; what the other end does not want is its own affair.
func send(w io.Writer, messages ...[]byte) { _, _ = w.Write(bytes.Join(messages, nil)) }

// TestLyingServers checks that no answer but a complete one is an answer.
func TestLyingServers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w io.Writer, id, asked int64) bool{
		"hangs up":                       func(io.Writer, int64, int64) bool { return false },
		"silence":                        func(io.Writer, int64, int64) bool { return true },
		"entries without end":            func(w io.Writer, id, _ int64) bool { send(w, entry(id, "x")); return false },
		"entries, then silence":          func(w io.Writer, id, _ int64) bool { send(w, entry(id, "x")); return true },
		"size limit":                     func(w io.Writer, id, _ int64) bool { send(w, entry(id, "x"), result(id, opSearchDone, 4)); return true },
		"nothing and busy":               func(w io.Writer, id, _ int64) bool { send(w, result(id, opSearchDone, 51)); return true },
		"unavailable":                    func(w io.Writer, id, _ int64) bool { send(w, result(id, opSearchDone, 52)); return true },
		"another's answer, then silence": func(w io.Writer, id, _ int64) bool { send(w, result(id+1, opSearchDone, 0)); return true },
		"huge code":                      func(w io.Writer, id, _ int64) bool { send(w, result(id, opSearchDone, 65536)); return true },
		"garbage, then silence":          func(w io.Writer, _, _ int64) bool { send(w, []byte("HTTP/1.1 200 OK\r\n\r\n")); return true },
		"no message":                     func(w io.Writer, id, _ int64) bool { send(w, message(id, opSearchDone)); return true },
		"half":                           func(w io.Writer, id, _ int64) bool { send(w, result(id, opSearchDone, 0)[:9]); return false },
		"deep": func(w io.Writer, _, _ int64) bool {
			send(w, bytes.Repeat([]byte{0x30, 0x80}, 100000))
			return true
		},
		"flood": func(w io.Writer, id, _ int64) bool {
			block := bytes.Repeat(entry(id, strings.Repeat("x", 1000)), 1000)
			for {
				if _, err := w.Write(block); err != nil {
					return false
				}
			}
		},
		"one huge value": func(w io.Writer, id, _ int64) bool {
			send(w, []byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return false
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout := "60"
			if strings.Contains(name, "silen") {
				timeout = "1"
			}
			f, h := newFake(t, timeout, answer)
			if err := f.b.wantRetry(h, "a"); name == "flood" && (err == nil || !strings.Contains(err.Error(), "answer of more than 16777216 bytes")) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestHonestFake checks the tests' own server.
func TestHonestFake(t *testing.T) {
	t.Parallel()
	f, h := newFake(t, "60", func(w io.Writer, id, _ int64) bool {
		send(w, entry(id, "x"), entry(id, "y"), result(id, opSearchDone, 0))
		return true
	})
	f.b.want(h, "a", "x,y")
	f.b.want(h, "a", "x,y")
	if n := f.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestMuchInAll checks that the limit is one of each lookup, and not of all on a
// connection.
func TestMuchInAll(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("x", 1<<20)
	f, h := newFake(t, "60", func(w io.Writer, id, _ int64) bool {
		send(w, entry(id, value), result(id, opSearchDone, 0))
		return true
	})
	for range 20 {
		if got, err := get(h, "a"); got != value || err != nil {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if n := f.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestServerThatHangsUpInQuery checks that one lost connection is not seen.
func TestServerThatHangsUpInQuery(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(w io.Writer, id int64) bool{
		"hangs up":         func(io.Writer, int64) bool { return false },
		"in the middle":    func(w io.Writer, id int64) bool { send(w, entry(id, "wrong")); return false },
		"shuts down":       func(w io.Writer, id int64) bool { send(w, result(id, opSearchDone, 52)); return true },
		"forgot the bind":  func(w io.Writer, id int64) bool { send(w, result(id, opSearchDone, 1)); return true },
		"disconnects with": func(w io.Writer, id int64) bool { send(w, result(0, 24, 52)); return false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, h := newFake(t, "60", func(w io.Writer, id, asked int64) bool {
				if asked == 2 {
					return first(w, id)
				}
				send(w, entry(id, fmt.Sprint(asked)), result(id, opSearchDone, 0))
				return true
			})
			f.b.want(h, "a", "1")
			f.b.want(h, "a", "3")
		})
	}
}
