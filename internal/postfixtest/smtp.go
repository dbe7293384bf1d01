package postfixtest

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// SMTP is a client's side of an SMTP dialogue, for tests that look at single replies.
type SMTP struct {
	t    testing.TB
	conn net.Conn
	text *textproto.Reader
}

// DialSMTP connects to a port of 127.0.0.1 and reads the greeting, which must be 220. The connection is closed at the
// end of the test.
func DialSMTP(t testing.TB, port int) *SMTP {
	t.Helper()
	conn, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &SMTP{t: t, conn: conn, text: textproto.NewReader(bufio.NewReader(conn))}
	s.expect(220, s.reply())
	return s
}

// Reply is a server's reply: its code and the text of all its lines.
type Reply struct {
	Code int
	Text string
}

func (r Reply) String() string { return fmt.Sprintf("%d %s", r.Code, r.Text) }

// Command sends one command line and returns the reply.
func (s *SMTP) Command(format string, args ...any) Reply {
	s.t.Helper()
	if err := s.conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.conn, format+"\r\n", args...); err != nil {
		s.t.Fatal(err)
	}
	return s.reply()
}

func (s *SMTP) reply() Reply {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		s.t.Fatal(err)
	}
	code, text, err := s.text.ReadResponse(0)
	if err != nil {
		s.t.Fatalf("SMTP reply: %v", err)
	}
	return Reply{code, text}
}

func (s *SMTP) expect(code int, got Reply) Reply {
	s.t.Helper()
	if got.Code != code {
		s.t.Fatalf("SMTP reply %v, want %d", got, code)
	}
	return got
}

// Send hands over one message and returns the reply to the recipient, or, when that was accepted, the reply to the end
// of the message. Everything else must succeed.
func (s *SMTP) Send(from, to, subject string) Reply {
	s.t.Helper()
	s.expect(250, s.Command("EHLO client.example"))
	s.expect(250, s.Command("MAIL FROM:<%s>", from))
	if r := s.Command("RCPT TO:<%s>", to); r.Code != 250 {
		return r
	}
	s.expect(354, s.Command("DATA"))
	message := []string{"From: <" + from + ">", "To: <" + to + ">", "Subject: " + subject, "", "Hello.", "."}
	return s.Command("%s", strings.Join(message, "\r\n"))
}
