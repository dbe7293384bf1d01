package http_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// listen starts a server that gets each request line and may answer anything. It
// closes the connection when answer returns false.
func listen(t testing.TB, answer func(c net.Conn, line string) bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
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
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					r, err := nethttp.ReadRequest(in)
					if err != nil || !answer(c, r.RequestURI) {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestHostileServer(t *testing.T) {
	send := func(text string) func(net.Conn, string) bool {
		return func(c net.Conn, _ string) bool { _, err := io.WriteString(c, text); return err == nil }
	}
	endless := func(start, unit string) func(net.Conn, string) bool {
		block := bytes.Repeat([]byte(unit), 1+10000/len(unit))
		return func(c net.Conn, _ string) bool {
			_, err := io.WriteString(c, start)
			for err == nil {
				_, err = c.Write(block)
			}
			return false
		}
	}
	const head = "HTTP/1.1 200 OK\r\n"
	for name, answer := range map[string]func(net.Conn, string) bool{
		"garbage":          send("lkjsdf\r\n\r\n"),
		"bytes":            send("\x00\xff\x16\x03\r\n\r\n"),
		"hang up":          func(net.Conn, string) bool { return false },
		"half a head":      func(c net.Conn, _ string) bool { io.WriteString(c, head+"Content-Le"); return false },
		"half a body":      func(c net.Conn, _ string) bool { io.WriteString(c, head+"Content-Length: 9\r\n\r\nabc"); return false },
		"silence":          func(net.Conn, string) bool { return true },
		"negative length":  send(head + "Content-Length: -1\r\n\r\n"),
		"two lengths":      send(head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
		"gigabyte":         endless(head+"Content-Length: 1073741824\r\n\r\n", "x"),
		"endless":          endless(head+"\r\n", "x"),
		"endless chunks":   endless(head+"Transfer-Encoding: chunked\r\n\r\n", "5\r\nabcde\r\n"),
		"huge chunk":       endless(head+"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", "x"),
		"bad chunk":        send(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n"),
		"endless line":     endless("HTTP/1.1 200 ", "x"),
		"endless headers":  endless(head, "X: y\r\n"),
		"endless interim":  endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
		"endless trailers": endless(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"),
		"upgrade":          send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
		"HTTP/2":           send("\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			h := b.open("url = http://" + listen(t, answer) + "/%s\nlookup_timeout = 1\n")
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 3 {
				b.wantError(h, "a", maptypes.ErrRetry, "")
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 100<<20 {
				t.Errorf("%d MB of memory", grown>>20)
			}
			if log := b.takeLog(); len(log) > 0 {
				t.Errorf("log %q", log)
			}
		})
	}
}

// TestForgedAnswer checks that what comes after an answer answers no other
// request.
func TestForgedAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	address := listen(t, func(c net.Conn, uri string) bool {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", len(uri), uri)
		return true
	})
	h := b.open("url = http://" + address + "/%s\n")
	for i := range 10 {
		b.want(h, fmt.Sprint(i), fmt.Sprint("/", i))
	}
}

// TestInterimAndOldAnswers checks answers of unusual form.
func TestInterimAndOldAnswers(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"interim":   "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.0":  "HTTP/1.0 200 OK\r\n\r\nx",
		"close":     "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"no length": "HTTP/1.1 200 OK\r\n\r\nx",
		"chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nTrailer: y\r\n\r\n",
	} {
		b := newBench(t)
		open := name == "interim" || name == "chunks"
		h := b.open("url = http://" + listen(t, func(c net.Conn, _ string) bool { io.WriteString(c, text); return open }) + "/%s\n")
		for range 3 {
			b.want(h, "a", "x")
		}
		if log := b.takeLog(); len(log) > 0 {
			t.Errorf("%s: log %q", name, log)
		}
	}
}

func TestIdleConnectionClosedByServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := httptest.NewServer(handler(echo))
	t.Cleanup(s.Close)
	h := b.open("url = " + s.URL + "/%s\n")
	for range 5 {
		b.want(h, "a", "/a")
		s.CloseClientConnections()
	}
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

// TestServerGoesInQuery ends the server while it works on an answer, and starts
// it again.
func TestServerGoesInQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asked, stop := make(chan bool, 100), make(chan bool)
	slow := func(r *nethttp.Request) (int, string) {
		asked <- true
		<-stop
		return 200, "late"
	}
	s := httptest.NewServer(handler(slow))
	address := s.Listener.Addr().String()
	h := b.open("url = http://" + address + "/%s\nlookup_timeout = 60\n")
	result := make(chan error)
	go func() {
		_, err := get(h, "a")
		result <- err
	}()
	<-asked
	s.Listener.Close()
	s.CloseClientConnections()
	if err := <-result; maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("lookup whose server has gone: %v", err)
	}
	for range 5 {
		b.wantError(h, "nobody", maptypes.ErrRetry, "")
	}
	close(stop)
	log := strings.Join(b.takeLog(), "\n")
	if want := "connect to http server " + address + ": Connection refused"; log != want {
		t.Errorf("log %q, want %q", log, want)
	}
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	again := &httptest.Server{Listener: l, Config: &nethttp.Server{Handler: handler(echo)}}
	again.Start()
	t.Cleanup(again.Close)
	b.eventually(h, "a", "/a")
}

// TestSlowKey checks that a slow answer delays nobody else, and ends with the
// time for a lookup.
func TestSlowKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := make(chan bool)
	s := serve(t, func(r *nethttp.Request) (int, string) {
		if r.URL.Path == "/slow" {
			<-release
		}
		return echo(r)
	})
	t.Cleanup(func() { close(release) })
	h := b.open("url = " + s.URL + "/%s\nlookup_timeout = 1\n")
	slow := make(chan error)
	go func() {
		_, err := get(h, "slow")
		slow <- err
	}()
	for n := 0; ; n++ {
		select {
		case err := <-slow:
			want := h.Spec() + ": query failed: no answer from http server " + strings.TrimPrefix(s.URL, "http://") + " within 1s (lookup_timeout)"
			if maptypes.Class(err) != maptypes.ErrRetry || err.Error() != want {
				t.Errorf("slow lookup: %v, want %s", err, want)
			}
			if n < 10 {
				t.Errorf("only %d lookups during the slow one", n)
			}
			return
		default:
			b.want(h, "quick", "/quick")
		}
	}
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := serve(t, echo)
	h := b.open("url = http://any.example/%s\nhosts = unix:/no/such/socket " + strings.TrimPrefix(s.URL, "http://") + "\n")
	for range 5 {
		b.want(h, "a", "/a")
	}
	if log := b.takeLog(); len(log) != 1 || log[0] != "connect to http server unix:/no/such/socket: No such file or directory" {
		t.Errorf("log %q", log)
	}
}
