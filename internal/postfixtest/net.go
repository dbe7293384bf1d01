package postfixtest

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// FreePort returns a TCP port of 127.0.0.1 that nobody uses at the moment.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Dial connects to a private service of the instance, such as "proxymap". The connection is closed at the end of the
// test.
func (i *Instance) Dial(service string) net.Conn {
	i.t.Helper()
	var conn net.Conn
	// A master that reloads says so before it has made the new sockets.
	i.wait("service "+service, func() (err error) {
		conn, err = net.DialTimeout("unix", filepath.Join(i.Queue, "private", service), patience)
		if err != nil {
			return fmt.Errorf("%w: %w", errWait, err)
		}
		return nil
	})
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { conn.Close() })
	return conn
}
