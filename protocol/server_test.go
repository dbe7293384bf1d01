package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// conversation is a server and a client in virtual time.
type conversation struct {
	t        *testing.T
	client   duplex
	in       sink
	warnings []string
}

func converse(t *testing.T, opt ServerOptions, f func(*conversation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &conversation{t: t}
		var server duplex
		c.client, server = newDuplex()
		opt.Warn = func(s string) { c.warnings = append(c.warnings, s) }
		go serve(t, server, opt, tables)
		go c.in.readFrom(c.client)
		synctest.Wait()
		c.in.take() // the announcement
		f(c)
		c.client.Close()
		synctest.Wait()
	})
}

// send writes a packet (~ is NUL) and checks what comes back at once.
func (c *conversation) send(packet, want string) {
	c.t.Helper()
	if _, err := c.client.Write(wire(packet)); err != nil {
		c.t.Fatalf("send %s: %v", packet, err)
	}
	synctest.Wait()
	if got, eof := c.in.take(); visible(got) != want || eof {
		c.t.Fatalf("after %s\n got %s (closed: %v)\nwant %s", visible(packet), visible(got), eof, want)
	}
}

func (c *conversation) wantClosed(closed bool) {
	c.t.Helper()
	synctest.Wait()
	if got, eof := c.in.take(); eof != closed || got != "" {
		c.t.Fatalf("got %s, closed: %v, want %v", visible(got), eof, closed)
	}
}

func (c *conversation) wantWarnings(want ...string) {
	c.t.Helper()
	if fmt.Sprintf("%q", c.warnings) != fmt.Sprintf("%q", want) {
		c.t.Errorf("warnings\n got %q\nwant %q", c.warnings, want)
	}
}

const (
	goodLookup = "request~lookup~table~static:x~flags~0~key~k~~"
	goodReply  = "status~0~value~x~~"
)

func TestRestOfMalformedListIsSkipped(t *testing.T) {
	const bad = "status~3~value~~~"
	for _, test := range []struct {
		name    string
		packets []string // each with its reply, in turn
	}{
		{"in the same packet", []string{
			"request~lookup~victor~oscar~table~static:x~flags~0~key~k~~" + goodLookup, bad + goodReply}},
		{"in later packets", []string{
			"request~lookup~victor~", bad, "oscar~tab", "", "le~static:x~flags~0~key~k~", "", "~", "", goodLookup, goodReply}},
		{"with the next request behind it", []string{
			"request~lookup~victor~os", bad, "car~~" + goodLookup, goodReply}},
		{"cut inside a name", []string{
			"request~lookup~victor~oscar~ta", bad, "~static:x~~" + goodLookup, goodReply}},
		{"never sent, at a name", []string{"request~lookup~victor~oscar~", bad, goodLookup, goodReply}},
		{"never sent, at a value", []string{"request~lookup~victor~", bad, goodLookup, goodReply}},
		{"never sent, next request in pieces", []string{"request~lookup~victor~", bad, "requ", "", goodLookup[4:], goodReply}},
		{"an attribute that begins like a request", []string{
			"request~lookup~victor~", bad, "req", "", "ular~~" + goodLookup, goodReply}},
	} {
		t.Run(test.name, func(t *testing.T) {
			converse(t, ServerOptions{}, func(c *conversation) {
				for i := 0; i < len(test.packets); i += 2 {
					c.send(test.packets[i], test.packets[i+1])
				}
				c.wantWarnings("unexpected attribute victor from proxymap socket (expecting: table)")
			})
		})
	}
}

func TestListThatNeverEndsIsClosed(t *testing.T) {
	for name, first := range map[string]string{
		"wrong order":    "request~lookup~",
		"extra":          "request~lookup~table~static:x~flags~0~key~k~",
		"not a request":  "x~y~",
		"unknown":        "request~what~",
		"open long name": "request~lookup~" + strings.Repeat("n", MaxName+1),
	} {
		t.Run(name, func(t *testing.T) {
			converse(t, ServerOptions{}, func(c *conversation) {
				start := time.Now()
				if _, err := c.client.Write(wire(first)); err != nil {
					t.Fatal(err)
				}
				for time.Since(start) < time.Minute {
					if _, err := c.client.Write(wire("name~value~")); err != nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if d := time.Since(start); d > 1100*time.Millisecond {
					t.Errorf("the server listened for %v", d)
				}
				if len(c.warnings) != 1 {
					t.Errorf("warnings %q, want one", c.warnings)
				}
			})
		})
	}
}

func TestOverlongStrings(t *testing.T) {
	for _, test := range []struct {
		name, request, reply, reading string
	}{
		{"table", "request~open~table~" + strings.Repeat("t", MaxValue+1) + "~flags~0~~", "status~3~flags~0~~", "value"},
		{"key", "request~lookup~table~static:x~flags~0~key~" + strings.Repeat("k", 2*MaxValue) + "~~", "status~3~value~~~", "value"},
		{"new form", "request~delete~table~static:x~instance_flags~0~flags~0~key~" + strings.Repeat("k", 2*MaxValue) + "~~", "status~3~flags~0~~", "value"},
		{"number", "request~lookup~table~static:x~flags~" + strings.Repeat("0", MaxValue+1) + "~key~k~~", "status~3~value~~~", "value"},
		{"name", "request~lookup~" + strings.Repeat("n", MaxName+1) + "~v~~", "status~3~value~~~", "name"},
		{"first name", strings.Repeat("n", MaxName+1) + "~v~~", "", "name"},
		{"request", "request~" + strings.Repeat("r", MaxValue+1) + "~~", "", "value"},
		{"list", "request~update~table~" + strings.Repeat("t", MaxValue) + "~flags~0~key~" + strings.Repeat("k", MaxValue) +
			"~value~" + strings.Repeat("v", MaxValue) + "~~", "status~3~~", "value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			converse(t, ServerOptions{}, func(c *conversation) {
				c.send(test.request, test.reply)
				c.send(goodLookup, goodReply)
				c.wantWarnings("string too long from proxymap socket while reading input attribute " + test.reading)
			})
		})
	}
}

// TestListIsLimitedAsItArrives: the limit does not wait for the end of a string.
func TestListIsLimitedAsItArrives(t *testing.T) {
	converse(t, ServerOptions{}, func(c *conversation) {
		c.send("request~update~table~"+strings.Repeat("t", MaxValue)+"~flags~0~key~"+strings.Repeat("k", MaxValue)+
			"~value~"+strings.Repeat("v", MaxList-2*MaxValue), "status~3~~")
		c.send("vvv~~"+goodLookup, goodReply)
	})
}

func TestLargestStringsAreServed(t *testing.T) {
	converse(t, ServerOptions{}, func(c *conversation) {
		c.send("request~lookup~table~static:x~flags~0~key~"+strings.Repeat("k", MaxValue)+"~~"+goodLookup, goodReply+goodReply)
		c.wantWarnings()
	})
}

func TestDialectOfBadReplies(t *testing.T) {
	const undecided = "request~lookup~~"
	form := map[Dialect]string{Dialect37: "status~3~value~~~", Dialect311: "status~3~flags~0~value~~~"}
	converse(t, ServerOptions{}, func(c *conversation) { c.send(undecided, form[Dialect37]) })
	converse(t, ServerOptions{DefaultDialect: Dialect311}, func(c *conversation) {
		c.send(undecided, form[Dialect311])
		c.send("request~lookup~flags~0~table~a:b~key~k~~", form[Dialect37]) // it has no instance_flags
		c.send(undecided, form[Dialect311])
		c.send(goodLookup, goodReply)
		c.send(undecided, form[Dialect37]) // as the connection's last good request
	})
	converse(t, ServerOptions{}, func(c *conversation) {
		c.send("request~lookup~key~k~table~a:b~instance_flags~0~flags~0~~", form[Dialect311])
		c.send("request~open~table~static:x~instance_flags~0~~", "status~0~flags~1~~")
		c.send(undecided, form[Dialect311])
		c.send("request~what~~", "status~3~~")
	})
}

func TestRequestDeadline(t *testing.T) {
	converse(t, ServerOptions{}, func(c *conversation) {
		time.Sleep(24 * time.Hour) // no limit before a request
		c.send(goodLookup+"reque", goodReply)
		time.Sleep(999 * time.Millisecond)
		c.wantClosed(false)
		time.Sleep(2 * time.Millisecond)
		c.wantClosed(true)
		c.wantWarnings("unexpected end-of-input from proxymap socket while reading input attribute name")
	})
	converse(t, ServerOptions{RequestTimeout: 5 * time.Second, Name: "proxywrite"}, func(c *conversation) {
		c.send("request~lookup~table~static:x~", "")
		time.Sleep(4 * time.Second)
		c.send("flags~0~key~k~~", goodReply)
		time.Sleep(time.Hour) // the deadline went with its request
		c.send("request~lookup~table~", "")
		time.Sleep(6 * time.Second)
		c.wantClosed(true)
		c.wantWarnings("timeout on proxywrite socket while reading input attribute value")
	})
}

func TestEndOfInput(t *testing.T) {
	for sent, want := range map[string]struct{ reply, warning string }{
		"":                       {"", ""},
		goodLookup:               {goodReply, ""},
		"req":                    {"", "unexpected end-of-input from proxymap socket while reading input attribute name"},
		"request~":               {"", "premature end-of-input on proxymap socket while reading input attribute value"},
		"request~update~":        {"status~3~~", ""},
		"request~update~table~x": {"status~3~~", "unexpected end-of-input from proxymap socket while reading input attribute value"},
		"request~lookup~table~static:x~instance_flags~0~": {"status~3~flags~0~value~~~", "premature end-of-input on proxymap socket while reading input attribute name"},
		goodLookup[:len(goodLookup)-1]:                    {"status~3~value~~~", "premature end-of-input on proxymap socket while reading input attribute name"},
	} {
		converse(t, ServerOptions{}, func(c *conversation) {
			if _, err := c.client.Write(wire(sent)); err != nil {
				t.Fatal(err)
			}
			c.client.CloseWrite()
			synctest.Wait()
			if got, eof := c.in.take(); visible(got) != want.reply || !eof {
				t.Errorf("%s: got %s (closed: %v), want %s", sent, visible(got), eof, want.reply)
			}
			if got := strings.Join(c.warnings, "|"); got != want.warning {
				t.Errorf("%s: warnings %q, want %q", sent, got, want.warning)
			}
		})
	}
}

func TestWarningsCannotBeForged(t *testing.T) {
	converse(t, ServerOptions{}, func(c *conversation) {
		c.send("request~a\nb\x1b[1m\xffé\u0085\u2028~~", "status~3~~")
		c.wantWarnings(`unrecognized request: "a?b?[1m?é??", ignored`)
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newDuplex()
		c := NewServerConn(server, ServerOptions{})
		var q Request
		errs := make(chan error)
		read := func() { errs <- c.ReadRequest(&q) }

		// In the middle of a request: the request is read.
		go read()
		client.Write(wire(goodLookup[:10]))
		synctest.Wait()
		c.Interrupt()
		client.Write(wire(goodLookup[10:]))
		if err := <-errs; err != nil || q.Table != "static:x" {
			t.Errorf("interrupted request: %v, %+v", err, q)
		}
		// Before the next one.
		go read()
		if err := <-errs; err != ErrInterrupted {
			t.Errorf("after Interrupt: %v", err)
		}

		// While waiting.
		client2, server2 := newDuplex()
		c = NewServerConn(server2, ServerOptions{})
		go read()
		synctest.Wait()
		c.Interrupt()
		if err := <-errs; err != ErrInterrupted {
			t.Errorf("waiting: %v", err)
		}
		go io.Copy(io.Discard, client2)
		if err := c.WriteReply(&Request{Kind: Update}, &Reply{}); err != nil {
			t.Errorf("write after Interrupt: %v", err)
		}
		for _, d := range []duplex{client, server, client2, server2} {
			d.Close()
		}
	})
}

// TestInterruptAsRequestArrives: however the two meet, a request that began to
// arrive first is read.
func TestInterruptAsRequestArrives(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			client, server := newDuplex()
			c := NewServerConn(server, ServerOptions{RequestTimeout: -1})
			var q Request
			errs := make(chan error)
			go func() { errs <- c.ReadRequest(&q) }()
			synctest.Wait()
			client.Write(wire(goodLookup[:10]))
			c.Interrupt()
			synctest.Wait()
			client.Write(wire(goodLookup[10:]))
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newDuplex()
		defer client.Close()
		c := NewServerConn(server, ServerOptions{WriteTimeout: 3 * time.Second})
		start := time.Now()
		err := c.WriteReply(&Request{Kind: Lookup}, &Reply{Value: bytes.Repeat([]byte("v"), 2*pipeSize)})
		const limit = 3 * time.Second
		if took := time.Since(start); !isTimeout(err) || took < limit || took > limit+limit/16 {
			t.Errorf("after %v: %v", took, err)
		}
		server.Close()
	})
}

func TestBrokenConnection(t *testing.T) {
	broken := errors.New("broken")
	c := NewServerConn(readWriter{Reader: io.MultiReader(bytes.NewReader(wire(goodLookup)), errorReader{broken})}, ServerOptions{})
	var q Request
	if err := c.ReadRequest(&q); err != nil {
		t.Fatal(err)
	}
	if err := c.ReadRequest(&q); err != broken {
		t.Errorf("got %v", err)
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// TestQuietConnectionIsSmall: one large request does not keep its memory.
func TestQuietConnectionIsSmall(t *testing.T) {
	big := "request~lookup~table~static:x~flags~0~key~" + strings.Repeat("k", 1<<20) + "~~"
	var out bytes.Buffer
	c := NewServerConn(readWriter{bytes.NewReader(wire(big + goodLookup)), &out}, ServerOptions{})
	var q Request
	for range 2 {
		if err := c.ReadRequest(&q); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteReply(&q, &Reply{Value: bytes.Repeat([]byte("v"), 1<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ReadRequest(&q); err != io.EOF {
		t.Fatal(err)
	}
	if n := cap(c.scan.buf) + cap(c.out); n > 2*keepSize {
		t.Errorf("%d bytes kept", n)
	}
	for i := range 10 * maxNames {
		c.tableName(fmt.Appendf(nil, "static:%d", i))
	}
	if len(c.names) > maxNames {
		t.Errorf("%d table names kept", len(c.names))
	}
}
