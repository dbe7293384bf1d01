package socketmap_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/socketmap"
)

// check looks a key up and checks the answer of an echo server.
func check(t *testing.T, h *maptypes.Handle, key string) {
	t.Helper()
	value, err := streamtest.Get(context.Background(), h, key)
	if want := "test=" + key; value != want || err != nil {
		t.Errorf("lookup of %q: %q %v, want %q", key, value, err, want)
	}
}

// TestServerClosesIdleConnections checks that nobody hears about a server that does
// not keep connections, however it ends them.
func TestServerClosesIdleConnections(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"after each reply": answerWith(func(name, key string) (string, bool) {
			raw, _ := echo(name, key)
			return raw, false
		}),
		"reset after each reply": func(conn net.Conn) {
			streamtest.Reset(conn)
			name, key, err := readRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			raw, _ := echo(name, key)
			_, _ = io.WriteString(conn, raw) // the client finds out
			_, _ = conn.Read(make([]byte, 1))
		},
		"when the second request arrives": func(conn net.Conn) {
			r := bufio.NewReader(conn)
			name, key, err := readRequest(r)
			if err != nil {
				return
			}
			raw, _ := echo(name, key)
			_, _ = io.WriteString(conn, raw) // the client finds out
			_, _, _ = readRequest(r)
		},
		"in the middle of the second reply": func(conn net.Conn) {
			first := true
			answerWith(func(name, key string) (string, bool) {
				raw, more := echo(name, key)
				if !first {
					return raw[:len(raw)-1], false
				}
				first = false
				return raw, more
			})(conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := streamtest.New(t, socketmap.Driver)
			server := streamtest.Listen(t, "tcp", serve)
			h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
			for i := range 30 {
				check(t, h, strconv.Itoa(i))
			}
			if log := b.TakeLog(); log != nil {
				t.Errorf("log %q", log)
			}
			if n := server.Accepted(); n < 2 {
				t.Errorf("%d connections: the test has tested nothing", n)
			}
		})
	}
}

// TestNoticedClose checks that a connection that the server has closed is not used
// for a request, so that even a server that counts them gets each one once.
func TestNoticedClose(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "unix", answerWith(func(name, key string) (string, bool) {
		requests.Add(1)
		return echo(name, key)
	}))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for i := range 10 {
		check(t, h, strconv.Itoa(i))
		server.Stop()
		server.Start()
	}
	if requests.Load() != 10 || server.Accepted() != 10 || b.TakeLog() != nil {
		t.Errorf("%d requests on %d connections for 10 lookups, log %q", requests.Load(), server.Accepted(), b.TakeLog())
	}
}

func TestServerGone(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "unix", answerWith(echo))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	check(t, h, "before")
	server.Stop()
	for range 5 {
		value, err := streamtest.Get(context.Background(), h, "down")
		if maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("lookup without a server: %q %v, want a temporary error", value, err)
		}
	}
	want := []string{"warning: connect to socketmap server " + server.Addr + ": No such file or directory"}
	if log := b.TakeLog(); !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
	server.Start()
	waitFor(t, h, "after")
	if log := b.TakeLog(); !slices.Equal(log, []string{"socketmap server " + server.Addr + " is available again"}) {
		t.Errorf("log %q", log)
	}
}

// waitFor looks a key up until there is an answer, which must be right. Until then
// there must be temporary errors.
func waitFor(t *testing.T, h *maptypes.Handle, key string) {
	t.Helper()
	for deadline := time.Now().Add(streamtest.Patience); ; time.Sleep(10 * time.Millisecond) {
		value, err := streamtest.Get(context.Background(), h, key)
		if err == nil && value == "test="+key {
			return
		}
		if maptypes.Class(err) != maptypes.ErrRetry || time.Now().After(deadline) {
			t.Fatalf("lookup of %q: %q %v", key, value, err)
		}
	}
}

// TestRestartsUnderLoad checks that no client gets a wrong answer, or "not found",
// from a server that is stopped and started all the time.
func TestRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(echo))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	var wg sync.WaitGroup
	var found atomic.Int32
	stop := make(chan struct{})
	for client := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := strconv.Itoa(client) + "/" + strconv.Itoa(i)
				value, err := streamtest.Get(context.Background(), h, key)
				switch {
				case err == nil && value == "test="+key:
					found.Add(1)
				case err == nil || maptypes.Class(err) != maptypes.ErrRetry:
					t.Errorf("lookup of %q: %q %v", key, value, err)
					return
				}
			}
		})
	}
	for range 5 {
		waitFor(t, h, "up")
		before := found.Load()
		for deadline := time.Now().Add(streamtest.Patience); found.Load() < before+100 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		server.Stop()
		server.Start()
	}
	waitFor(t, h, "up")
	close(stop)
	wg.Wait()
	if found.Load() < 500 {
		t.Errorf("only %d answers", found.Load())
	}
}

// TestLookupsSideBySide checks that lookups do not wait for each other: the server
// answers none before all have arrived.
func TestLookupsSideBySide(t *testing.T) {
	t.Parallel()
	const clients = 100 // proxymapd_socketmap_max_connections
	var arrived sync.WaitGroup
	arrived.Add(clients)
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "unix", answerWith(func(name, key string) (string, bool) {
		arrived.Done()
		arrived.Wait()
		return echo(name, key)
	}))
	tables := []*maptypes.Handle{
		b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly),
		b.Open("socketmap:local:"+server.Addr+":test", maptypes.ReadOnly),
	}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { check(t, tables[i%2], strconv.Itoa(i)) })
	}
	wg.Wait()
	if n := server.Accepted(); n != clients {
		t.Errorf("%d connections for %d lookups", n, clients)
	}
}

// TestTablesShareConnections checks that tables of one server use one connection
// when their lookups do not overlap, and that it is bounded when they do.
func TestTablesShareConnections(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	b.SetMain("proxymapd_socketmap_max_connections", "3")
	server := streamtest.Listen(t, "tcp", answerWith(echo))
	for _, name := range []string{"one", "two", "three"} {
		h := b.Open("socketmap:"+server.Endpoint()+":"+name, maptypes.ReadOnly)
		if value, err := streamtest.Get(context.Background(), h, "k"); value != name+"=k" || err != nil {
			t.Errorf("%s: %q %v", name, value, err)
		}
	}
	if n := server.Accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { check(t, h, strconv.Itoa(i)) })
	}
	wg.Wait()
	if n := server.Accepted(); n > 3 {
		t.Errorf("%d connections, want at most 3", n)
	}
}

// TestRequestorLeaves checks that a lookup ends with its requestor, and that the
// late reply answers nobody else.
func TestRequestorLeaves(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	asked, answer := make(chan struct{}), make(chan struct{})
	server := streamtest.Listen(t, "tcp", answerWith(func(name, key string) (string, bool) {
		if key == "slow" {
			close(asked)
			<-answer
		}
		return echo(name, key)
	}))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	check(t, h, "before")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-asked
		cancel()
	}()
	if value, err := streamtest.Get(ctx, h, "slow"); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("cancelled lookup: %q %v", value, err)
	}
	close(answer)
	for i := range 10 {
		check(t, h, strconv.Itoa(i))
	}
	if log := b.TakeLog(); log != nil {
		t.Errorf("log %q", log)
	}
}

// TestUnaskedReply checks that what a server sends too much does not answer the next
// request.
func TestUnaskedReply(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(name, key string) (string, bool) {
		return netstring("OK "+name+"="+key) + netstring("OK wrong"), true
	}))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for i := range 20 {
		check(t, h, strconv.Itoa(i))
	}
}

// TestLateUnaskedReply is about one that arrives when the connection is idle.
func TestLateUnaskedReply(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	release, sent := make(chan struct{}), make(chan struct{})
	server := streamtest.Listen(t, "unix", func(conn net.Conn) {
		go func() {
			for range release {
				_, _ = io.WriteString(conn, netstring("OK wrong")) // fails on connections that were closed for that
				sent <- struct{}{}
			}
		}()
		answerWith(echo)(conn)
	})
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for i := range 20 {
		check(t, h, strconv.Itoa(i))
		release <- struct{}{}
		<-sent
	}
	close(release)
	if log := b.TakeLog(); log != nil {
		t.Errorf("log %q", log)
	}
}

// TestCutReplies checks that a reply that ends too early is no answer at any length.
func TestCutReplies(t *testing.T) {
	t.Parallel()
	const reply = "8:OK value,"
	server := streamtest.Listen(t, "tcp", answerWith(func(_, key string) (string, bool) {
		n, _ := strconv.Atoi(key)
		return reply[:n], false
	}))
	b := streamtest.New(t, socketmap.Driver)
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for n := range len(reply) {
		value, err := streamtest.Get(context.Background(), h, strconv.Itoa(n))
		if maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), "lookup error: unexpected disconnect") {
			t.Errorf("reply %q: %q %v", reply[:n], value, err)
		}
	}
	if value, err := streamtest.Get(context.Background(), h, strconv.Itoa(len(reply))); value != "value" || err != nil {
		t.Errorf("whole reply: %q %v", value, err)
	}
}

// TestBadReplyEndsConnection checks that the next request does not get the rest of a
// reply that could not be read.
func TestBadReplyEndsConnection(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(name, key string) (string, bool) {
		if key == "bad" {
			return "?", true
		}
		return echo(name, key)
	}))
	h := b.Open("socketmap:"+server.Endpoint()+":test", maptypes.ReadOnly)
	for i := range 3 {
		if value, err := streamtest.Get(context.Background(), h, "bad"); maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("bad reply: %q %v", value, err)
		}
		check(t, h, strconv.Itoa(i))
	}
	if n := server.Accepted(); n != 4 {
		t.Errorf("%d connections for 3 bad replies, want 4", n)
	}
}
