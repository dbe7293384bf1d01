package protocol

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// listenUnix listens on a socket with a path that is short enough.
func listenUnix(t *testing.T) *net.UnixListener {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// socketPair returns the two ends of a UNIX-domain connection.
func socketPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l := listenUnix(t)
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// TestUnaskedReplyOnSocket: what came in between two requests shows that the
// connection is not to be trusted.
func TestUnaskedReplyOnSocket(t *testing.T) {
	l := listenUnix(t)
	answered, spoken := make(chan bool), make(chan bool)
	serveOne := func(more string) {
		conn, err := l.Accept()
		if err != nil {
			return // the test has failed
		}
		defer conn.Close()
		var q Request
		c := NewServerConn(conn, ServerOptions{})
		if err := c.ReadRequest(&q); err != nil {
			t.Error(err)
		}
		if err := c.WriteReply(&q, &Reply{Value: []byte("x")}); err != nil {
			t.Error(err)
		}
		<-answered
		if _, err := conn.Write(wire(more)); err != nil {
			t.Error(err)
		}
		spoken <- true
		<-answered
	}
	go serveOne("status~0~flags~0~value~stale~~")
	c := NewClient(ClientOptions{Dial: func(context.Context) (net.Conn, error) {
		return net.Dial("unix", l.Addr().String())
	}})
	defer c.Close()
	if v, err := lookupX(c); v != "x" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	answered <- true
	<-spoken
	go serveOne("")
	if v, err := lookupX(c); v != "x" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	close(answered)
	<-spoken
}
