package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// script is what a server does with one connection.
type script func(*fakeConn)

// fakeConn is the server's side of a connection, byte by byte.
type fakeConn struct {
	t    *testing.T
	conn duplex
}

// say sends text, in which ~ is NUL.
func (f *fakeConn) say(text string) { _, _ = f.conn.Write(wire(text)) }

// hear reads one list and returns it with ~ for NUL, "" at the end.
func (f *fakeConn) hear() string {
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte{0, 0}) {
		if _, err := io.ReadFull(f.conn, b); err != nil {
			return ""
		}
		got = append(got, b[0])
	}
	return visible(string(got))
}

// answers returns a script: the announcement and, for each request in turn, a
// reply; then it closes the connection.
func answers(greeting string, replies ...string) script {
	return func(f *fakeConn) {
		f.say(greeting)
		for _, r := range replies {
			if f.hear() == "" {
				return
			}
			f.say(r)
		}
	}
}

const greeting = "protocol~proxymap_protocol~~"

// fakeService hands the n-th connection to the n-th script, and all that come
// after them to the last.
type fakeService struct {
	t       *testing.T
	scripts []script
	dials   []time.Duration // when, since the start
	start   time.Time
	warned  []string
}

func (s *fakeService) dial(context.Context) (net.Conn, error) {
	n := len(s.dials)
	s.dials = append(s.dials, time.Since(s.start))
	client, server := newDuplex()
	do := s.scripts[min(n, len(s.scripts)-1)]
	if do == nil {
		return nil, &os.PathError{Op: "connect", Path: "private/proxymap", Err: fs.ErrNotExist}
	}
	go func() {
		defer server.Close()
		do(&fakeConn{s.t, server})
	}()
	return client, nil
}

// withClient runs f in virtual time with a client of a service that follows the
// scripts.
func withClient(t *testing.T, opt ClientOptions, scripts []script, f func(*Client, *fakeService)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeService{t: t, scripts: scripts, start: time.Now()}
		opt.Dial = s.dial
		opt.Warn = func(w string) { s.warned = append(s.warned, w) }
		c := NewClient(opt)
		f(c, s)
		c.Close()
		synctest.Wait()
	})
}

func (s *fakeService) wantDials(want ...time.Duration) {
	s.t.Helper()
	if fmt.Sprint(s.dials) != fmt.Sprint(want) {
		s.t.Errorf("connections at %v, want %v", s.dials, want)
	}
}

func (s *fakeService) wantWarnings(want ...string) {
	s.t.Helper()
	if len(s.warned) != len(want) {
		s.t.Errorf("warnings %q, want %d", s.warned, len(want))
		return
	}
	for i := range want {
		if !strings.Contains(s.warned[i], want[i]) {
			s.t.Errorf("warning %q, want %q", s.warned[i], want[i])
		}
	}
}

// postfix is a server of a given version: it takes requests of its own dialect
// and answers the others as Postfix does, losing what it has not read.
func postfix(greeting string, d Dialect, heard *[]string) script {
	return func(f *fakeConn) {
		f.say(greeting)
		for {
			text := f.hear()
			if text == "" {
				return
			}
			*heard = append(*heard, text)
			var q Request
			c := NewServerConn(readWriter{bytes.NewReader(wire(text)), f.conn}, ServerOptions{})
			if err := c.ReadRequest(&q); err != nil {
				f.t.Errorf("the client sent %s: %v", text, err)
				return
			}
			r := Reply{Status: StatusBad}
			if q.Dialect == d {
				r = tables(&q)
			}
			q.Dialect = d
			if err := c.WriteReply(&q, &r); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				f.t.Errorf("reply: %v", err)
			}
		}
	}
}
