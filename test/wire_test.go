package test

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// wire is a client of the proxymap protocol in the words of Postfix 3.6 to 3.10, written here byte by byte so that it
// shares no mistake with the package protocol.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// newWire takes a fresh connection and reads the announcement of the protocol.
func newWire(t *testing.T, conn net.Conn) *wire {
	t.Helper()
	w := &wire{t, conn, bufio.NewReader(conn)}
	if got := w.read(); len(got) != 1 || got["protocol"] != "proxymap_protocol" {
		t.Fatalf("announcement: %q", got)
	}
	return w
}

// ask sends the attributes, names and values in turn, and returns those of the reply.
func (w *wire) ask(attributes ...string) map[string]string {
	w.t.Helper()
	reply, err := w.tryAsk(attributes...)
	if err != nil {
		w.t.Fatalf("%q: %v", attributes, err)
	}
	return reply
}

// tryAsk is ask for a test in which the connection may break.
func (w *wire) tryAsk(attributes ...string) (map[string]string, error) {
	if _, err := w.conn.Write([]byte(strings.Join(attributes, "\x00") + "\x00\x00")); err != nil {
		return nil, err
	}
	return w.tryRead()
}

func (w *wire) read() map[string]string {
	w.t.Helper()
	attributes, err := w.tryRead()
	if err != nil {
		w.t.Fatal(err)
	}
	return attributes
}

func (w *wire) tryRead() (map[string]string, error) {
	attributes := map[string]string{}
	for {
		name, err := w.in.ReadString(0)
		if err != nil {
			return nil, err
		}
		if name == "\x00" {
			return attributes, nil
		}
		value, err := w.in.ReadString(0)
		if err != nil {
			return nil, err
		}
		attributes[strings.TrimSuffix(name, "\x00")] = strings.TrimSuffix(value, "\x00")
	}
}
