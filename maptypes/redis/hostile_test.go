package redis_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// impostor is a server that greets as Redis does, and then answers each GET and
// SENTINEL with what answer writes. It closes the connection when answer returns false.
func impostor(t *testing.T, answer func(c net.Conn) bool) (address string) {
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
			go greet(c, answer)
		}
	}()
	return l.Addr().String()
}

// greet answers what comes before.
func greet(c net.Conn, answer func(c net.Conn) bool) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		command, err := readCommand(r)
		if err != nil {
			return
		}
		switch strings.ToLower(command) {
		case "hello":
			fmt.Fprint(c, "-ERR unknown command\r\n")
		case "ping":
			fmt.Fprint(c, "+PONG\r\n")
		case "get", "sentinel":
			if !answer(c) {
				return
			}
		default:
			fmt.Fprint(c, "+OK\r\n")
		}
	}
}

// readCommand reads an array of strings and returns the first.
func readCommand(r *bufio.Reader) (string, error) {
	var n int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return "", err
	}
	first := ""
	for i := range n {
		var size int
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return "", err
		}
		part := make([]byte, size+2)
		for have := 0; have < len(part); {
			m, err := r.Read(part[have:])
			if err != nil {
				return "", err
			}
			have += m
		}
		if i == 0 {
			first = string(part[:size])
		}
	}
	return first, nil
}

func TestHostileServer(t *testing.T) {
	send := func(text string) func(net.Conn) bool {
		return func(c net.Conn) bool { _, err := fmt.Fprint(c, text); return err == nil }
	}
	endless := func(unit string) func(net.Conn) bool {
		block := bytes.Repeat([]byte(unit), 10000)
		return func(c net.Conn) bool {
			for {
				if _, err := c.Write(block); err != nil {
					return false
				}
			}
		}
	}
	for name, answer := range map[string]func(net.Conn) bool{
		"garbage":        send("lkjsdf\r\n"),
		"bytes":          send("\x00\xff\x16\x03\r\n\r\n"),
		"hang up":        func(net.Conn) bool { return false },
		"half a reply":   func(c net.Conn) bool { fmt.Fprint(c, "$10\r\nabc"); return false },
		"silence":        func(net.Conn) bool { return true },
		"gigabyte":       send("$1073741824\r\n"),
		"overflow":       send("$9223372036854775807\r\n"),
		"too many":       send("$99999999999999999999\r\n"),
		"negative":       send("$-2\r\n"),
		"array":          send("*1073741824\r\n"),
		"other type":     send("*1\r\n+x\r\n"),
		"endless string": endless("x"),
		"endless line":   func(c net.Conn) bool { return send("+")(c) && endless("x")(c) },
		"endless nest":   endless("*1\r\n"),
		"endless arrays": endless("*9\r\n"),
		"error":          send("-ERR no\r\n"),
		"RESP3":          send("%1\r\n+a\r\n+b\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h := b.open("t", "hosts = "+impostor(t, answer)+"\nlookup_timeout = 1\n", maptypes.ReadOnly)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 3 {
				b.wantRetry(h, "a")
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
				t.Errorf("%d MB were allocated", grown>>20)
			}
			if log := b.takeLog(); len(log) > 0 {
				t.Errorf("log %q", log)
			}
		})
	}
}

// TestForgedReply checks that what comes after a reply answers no other request.
func TestForgedReply(t *testing.T) {
	b := newBench(t)
	var n atomic.Int64
	h := b.open("t", "hosts = "+impostor(t, func(c net.Conn) bool {
		fmt.Fprintf(c, "$1\r\n%d\r\n$6\r\nforged\r\n", n.Add(1))
		return true
	})+"\n", maptypes.ReadOnly)
	for range 5 {
		if got, err := get(h, "a"); got == "forged" {
			t.Errorf("lookup: %q %v", got, err)
		}
	}
}
