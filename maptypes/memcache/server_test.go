package memcache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

// scriptedStore is a server that knows get, set and add, and calls a function after
// the reply to each line is made and before it is sent. It serves one client at a
// time.
func scriptedStore(stored map[string]string, after func(line string)) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSuffix(line, "\r\n")
			words := strings.Fields(line)
			reply := "END\r\n"
			if value := stored[words[1]]; words[0] == "get" && value != "" {
				reply = fmt.Sprintf("VALUE %s 0 %d\r\n%s\r\nEND\r\n", words[1], len(value), value)
			}
			if words[0] != "get" {
				value, err := r.ReadString('\n')
				if err != nil {
					return
				}
				reply = "NOT_STORED\r\n"
				if words[0] == "set" || stored[words[1]] == "" {
					stored[words[1]] = strings.TrimSuffix(value, "\r\n")
					reply = "STORED\r\n"
				}
			}
			after(line)
			if _, err := io.WriteString(conn, reply); err != nil {
				return
			}
		}
	}
}

// TestRestart checks that a restart of the server between two requests does not show.
func TestRestart(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, ""), maptypes.ReadWrite)
	for range 5 {
		if err := update(h, "k", "v"); err != nil {
			t.Fatal(err)
		}
		wantValue(t, h, "k", "v")
		server.Kill()
		server.Start()
		wantClass(t, h, "k", maptypes.ErrNotFound) // a new server is empty
	}
	if log := b.TakeLog(); log != nil {
		t.Errorf("log %q", log)
	}
}

// TestKillsUnderLoad checks that a server that is killed in the middle of requests
// gives no wrong answers.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, "max_try = 1\n"), maptypes.ReadWrite)
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
				key := fmt.Sprintf("%d/%d", client, i)
				if err := update(h, key, "value of "+key); err != nil && maptypes.Class(err) != maptypes.ErrRetry {
					t.Errorf("update of %s: %v", key, err)
				}
				value, err := streamtest.Get(context.Background(), h, key)
				switch class := maptypes.Class(err); {
				case class == nil && value == "value of "+key:
					found.Add(1)
				case class == nil, class == maptypes.ErrConfig:
					t.Errorf("lookup of %s: %q %v", key, value, err)
				}
			}
		})
	}
	for range 4 {
		before := found.Load()
		for deadline := time.Now().Add(streamtest.Patience); found.Load() < before+200 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		server.Kill()
		server.Start()
	}
	before := found.Load()
	for deadline := time.Now().Add(streamtest.Patience); found.Load() < before+200; {
		if time.Now().After(deadline) {
			t.Error("no right answers after the last restart")
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
}

// TestSilentServer checks that one that is stuck costs the time limit, and works again
// when it goes on.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, "timeout = 1\nmax_try = 1\n"), maptypes.ReadWrite)
	if err := update(h, "k", "v"); err != nil {
		t.Fatal(err)
	}
	server.Freeze()
	_, err := streamtest.Get(context.Background(), h, "k")
	if maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), ": I/O error: time limit exceeded") {
		t.Errorf("lookup at a stopped server: %v", err)
	}
	server.Thaw()
	wantValue(t, h, "k", "v")
}

// TestTries counts how often a command is sent.
func TestTries(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]int32{"max_try = 1": 1, "": 2, "max_try = 3": 3, "max_try = 9\nlookup_timeout = 1": 1} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			var commands atomic.Int32
			server := streamtest.Listen(t, "unix", scripted(func(string) string {
				commands.Add(1)
				return "SERVER_ERROR out of memory\r\n"
			}))
			b := newBench(t)
			h := b.Open(writeTable(b, "t", server.Endpoint(), settings+"\n"), maptypes.ReadWrite)
			for what, err := range map[string]error{
				"update failed: SERVER_ERROR out of memory": update(h, "k", "v"),
				"delete failed: SERVER_ERROR out of memory": remove(h, "k"),
			} {
				if maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), what) {
					t.Errorf("%v, want %s", err, what)
				}
			}
			if n := commands.Load(); n != 2*want {
				t.Errorf("%d commands for 2 requests, want %d each", n, want)
			}
		})
	}
}

// TestRetrySucceeds checks that a failure that passes does not show.
func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	var commands atomic.Int32
	server := streamtest.Listen(t, "unix", scripted(func(string) string {
		if commands.Add(1) == 1 {
			return "SERVER_ERROR out of memory\r\n"
		}
		return "VALUE k 0 1\r\nv\r\nEND\r\n"
	}))
	b := newBench(t)
	h := b.Open(writeTable(b, "t", server.Endpoint(), ""), maptypes.ReadOnly)
	wantValue(t, h, "k", "v")
	if log := b.TakeLog(); log != nil {
		t.Errorf("log %q", log)
	}
}

// TestWrongReplies checks that the answer to another question is none.
func TestWrongReplies(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		"VALUE other 0 1\r\nv\r\nEND\r\n", "VALUE k 0 1\r\nvv\r\nEND\r\n", "VALUE k 0 1\r\nv\r\nVALUE k 0 1\r\nv\r\nEND\r\n", "VALUE k 0 1\r\nv\r\nERROR\r\n",
		"VALUE k 0 1 2 3\r\nv\r\nEND\r\n", "VALUE k 0 9223372036854775807\r\n", "STORED\r\n", "NOT_FOUND\r\n",
	} {
		server := streamtest.Listen(t, "unix", scripted(func(string) string { return reply }))
		b := newBench(t)
		h := b.Open(writeTable(b, "t", server.Endpoint(), "max_try = 1\n"), maptypes.ReadOnly)
		wantClass(t, h, "k", maptypes.ErrRetry)
	}
}

// TestGigabyte checks that a reply of any size takes little memory.
func TestGigabyte(t *testing.T) {
	server := streamtest.Listen(t, "unix", func(conn net.Conn) {
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && line == "get value\r\n" {
			_, err = io.WriteString(conn, "VALUE value 0 1000000000\r\n")
		}
		for zeros := make([]byte, 1<<16); err == nil; {
			_, err = conn.Write(zeros)
		}
	})
	b := newBench(t)
	h := b.Open(writeTable(b, "t", server.Endpoint(), "max_try = 1\n"), maptypes.ReadOnly)
	for key, want := range map[string]string{"value": "value of 1000000000 bytes is too long (data_size_limit)", "line": "I/O error: input exceeds size limit"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := streamtest.Get(context.Background(), h, key)
		runtime.ReadMemStats(&after)
		if maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes of memory", key, took)
		}
	}
}

// TestServerDown checks what is said, and that it is said once for all tables.
func TestServerDown(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	server.Kill()
	b := newBench(t)
	one := b.Open(writeTable(b, "one", "unix:"+server.Socket, ""), maptypes.ReadOnly)
	two := b.Open(writeTable(b, "two", "unix:"+server.Socket, ""), maptypes.ReadOnly)
	for range 3 {
		wantClass(t, one, "k", maptypes.ErrRetry)
		wantClass(t, two, "k", maptypes.ErrRetry)
	}
	want := []string{"warning: connect to memcache server " + server.Socket + ": Connection refused"}
	if log := b.TakeLog(); !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
}

// TestServerEndsConnections checks that a server that hangs up at the second command
// of each connection costs no try.
func TestServerEndsConnections(t *testing.T) {
	t.Parallel()
	server := streamtest.Listen(t, "unix", func(conn net.Conn) {
		r := bufio.NewReader(conn)
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		if _, err := io.WriteString(conn, "VALUE k 0 1\r\nv\r\nEND\r\n"); err == nil {
			_, _ = r.ReadString('\n') // and no reply
		}
	})
	b := newBench(t)
	h := b.Open(writeTable(b, "t", server.Endpoint(), "max_try = 1\n"), maptypes.ReadOnly)
	for range 10 {
		wantValue(t, h, "k", "v")
	}
	if n := server.Accepted(); n != 10 {
		t.Errorf("%d connections", n)
	}
}

// TestLongValueIsNotTriedAgain counts the commands for a value that is too long.
func TestLongValueIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var commands atomic.Int32
	server := streamtest.Listen(t, "unix", scripted(func(string) string {
		commands.Add(1)
		return "VALUE k 0 10241\r\n"
	}))
	b := newBench(t)
	h := b.Open(writeTable(b, "t", server.Endpoint(), "max_try = 3\n"), maptypes.ReadOnly)
	wantClass(t, h, "k", maptypes.ErrRetry)
	if n := commands.Load(); n != 1 {
		t.Errorf("%d commands", n)
	}
}
