package tcp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tcp"
)

// check looks a key up and checks the answer of an echo server.
func check(t *testing.T, h *maptypes.Handle, key string) {
	t.Helper()
	value, err := streamtest.Get(context.Background(), h, key)
	if want := "get " + key; value != want || err != nil {
		t.Errorf("lookup of %q: %q %v, want %q", key, value, err, want)
	}
}

// TestServerEndsConnections checks that nobody hears about a server that does not
// keep connections, however it ends them.
func TestServerEndsConnections(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"after each reply": answerWith(func(line string) (string, bool) {
			raw, _ := echo(line)
			return raw, false
		}),
		"reset after each reply": func(conn net.Conn) {
			streamtest.Reset(conn)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "200 "+line) // the client finds out
			_, _ = conn.Read(make([]byte, 1))
		},
		"in the middle of the second reply": func(conn net.Conn) {
			first := true
			answerWith(func(line string) (string, bool) {
				raw, more := echo(line)
				if !first {
					return raw[:len(raw)-1], false
				}
				first = false
				return raw, more
			})(conn)
		},
		"with a second reply": answerWith(func(line string) (string, bool) { return "200 " + line + "\n200 wrong\n", true }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := streamtest.New(t, tcp.Driver)
			server := streamtest.Listen(t, "tcp", serve)
			h := b.Open("tcp:"+server.Addr, maptypes.ReadOnly)
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

// TestAnswersAndConnections checks which answers end the connection, as in Postfix.
func TestAnswersAndConnections(t *testing.T) {
	t.Parallel()
	for reply, c := range map[string]struct {
		class error
		ends  bool
	}{
		"200 x":  {nil, false},
		"500 x":  {maptypes.ErrNotFound, false},
		"400 x":  {maptypes.ErrRetry, true},
		"100 x":  {maptypes.ErrRetry, true},
		"x":      {maptypes.ErrRetry, true},
		"200 %x": {maptypes.ErrRetry, true},
	} {
		b := streamtest.New(t, tcp.Driver)
		server := streamtest.Listen(t, "tcp", answerWith(func(string) (string, bool) { return reply + "\n", true }))
		h := b.Open("tcp:"+server.Addr, maptypes.ReadOnly)
		for range 5 {
			if _, err := streamtest.Get(context.Background(), h, "k"); maptypes.Class(err) != c.class {
				t.Errorf("%q: %v", reply, err)
			}
		}
		if n := server.Accepted(); n != 1 && !c.ends || n != 5 && c.ends {
			t.Errorf("%q: %d connections for 5 lookups", reply, n)
		}
	}
}

// TestRestart checks that a restart of the server does not show, not even to a lookup
// that waits for its answer.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, tcp.Driver)
	asked := make(chan struct{})
	var once sync.Once
	server := streamtest.Listen(t, "tcp", answerWith(func(line string) (string, bool) {
		stop := false
		if line == "get slow" {
			once.Do(func() { stop = true; close(asked) })
		}
		if stop {
			return "", false
		}
		return echo(line)
	}))
	h := b.Open("tcp:"+server.Addr, maptypes.ReadOnly)
	check(t, h, "before")
	var wg sync.WaitGroup
	wg.Go(func() { check(t, h, "slow") })
	<-asked
	server.Stop()
	for i := range 5 {
		wg.Go(func() { check(t, h, strconv.Itoa(i)) })
	}
	server.Start()
	wg.Wait()
	check(t, h, "after")
}

func TestLookupsSideBySide(t *testing.T) {
	t.Parallel()
	const clients = 100 // proxymapd_tcp_max_connections
	var arrived sync.WaitGroup
	arrived.Add(clients)
	b := streamtest.New(t, tcp.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(line string) (string, bool) {
		arrived.Done()
		arrived.Wait()
		return echo(line)
	}))
	h := b.Open("tcp:"+server.Addr, maptypes.ReadOnly)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { check(t, h, strconv.Itoa(i)) })
	}
	wg.Wait()
}

// TestGigabyte checks that a line without an end takes little memory.
func TestGigabyte(t *testing.T) {
	b := streamtest.New(t, tcp.Driver)
	server := streamtest.Listen(t, "tcp", func(conn net.Conn) {
		_, err := bufio.NewReader(conn).ReadString('\n')
		for zeros := make([]byte, 1<<16); err == nil; {
			_, err = conn.Write(zeros)
		}
	})
	h := b.Open("tcp:"+server.Addr, maptypes.ReadOnly)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	value, err := streamtest.Get(context.Background(), h, "k")
	runtime.ReadMemStats(&after)
	if maptypes.Class(err) != maptypes.ErrRetry || err.Error() != "read TCP map reply from "+server.Addr+": text longer than 4096" {
		t.Errorf("%.40q %v", value, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("%d bytes of memory", took)
	}
}

func TestOpenFlags(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, tcp.Driver)
	for _, c := range []struct {
		mode  maptypes.Mode
		flags maptypes.Flags
		want  string
	}{
		{maptypes.ReadWrite, 0, "tcp:localhost:1 map requires O_RDONLY access mode"},
		{maptypes.ReadOnly, maptypes.FlagNoUnauth, "tcp:localhost:1 map is not allowed for security sensitive data"},
	} {
		_, err := b.Env.Registry.Open(b.Env, "tcp:localhost:1", c.mode, c.flags)
		if !errors.Is(err, maptypes.ErrConfig) || err.Error() != c.want {
			t.Errorf("mode %d, flags %v: %v", c.mode, c.flags, err)
		}
	}
	h := b.Open("tcp:localhost:1", maptypes.ReadOnly)
	if f := h.Flags(); f&maptypes.FlagPattern == 0 || f&maptypes.FlagFixed != 0 {
		t.Errorf("flags %v: partial keys must not be looked up", f)
	}
}

// TestLog checks what is said about a server that is down, and about soft errors.
func TestLog(t *testing.T) {
	t.Parallel()
	b := streamtest.New(t, tcp.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(func(string) (string, bool) { return "400 database is locked\n", true }))
	want := []string{"warning: read TCP map reply from " + server.Addr + ": soft error: 400 database is locked"}
	if answer, log := b.Ours("tcp:"+server.Addr, "k"); answer != streamtest.Failed || !slices.Equal(log, want) {
		t.Errorf("%s %q, want %q", answer, log, want)
	}
	server.Stop()
	b.SetMain("proxymapd_tcp_timeout", "1")
	want = []string{"warning: connect to tcp server " + server.Addr + ": Connection refused"}
	if answer, log := b.Ours("tcp:"+server.Addr, "k"); answer != streamtest.Failed || !slices.Equal(log, want) {
		t.Errorf("%s %q, want %q", answer, log, want)
	}
}
