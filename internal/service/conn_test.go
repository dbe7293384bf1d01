package service

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// socketPair returns two ends of a UNIX connection.
func socketPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// A request that arrives at the moment when the worker is told to leave is not thrown away: closing a socket with
// unread data resets the client.
func TestReadReturnsLateRequestWhenLeaving(t *testing.T) {
	client, server := socketPair(t)
	leaving := false
	c := &conn{Conn: server, timeout: time.Hour, leaving: func() bool { return leaving }, answered: func() {}}
	if _, err := client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %q, %v after a deadline", buf[:n], err)
	}
	leaving = true
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "late" {
		t.Errorf("read %q, %v while leaving", buf[:n], err)
	}
	if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %q, %v with nothing left", buf[:n], err)
	}
}

func TestAnsweredOnlyAfterRequest(t *testing.T) {
	client, server := socketPair(t)
	answers := 0
	c := &conn{Conn: server, leaving: func() bool { return false }, answered: func() { answers++ }}
	write := func(text string) {
		t.Helper()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("announcement")
	if answers != 0 {
		t.Error("an announcement counts as an answer")
	}
	client.Write([]byte("request"))
	if _, err := c.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	write("answer")
	write("more")
	if answers != 1 {
		t.Errorf("answered %d times, want once", answers)
	}
}
