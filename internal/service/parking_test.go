package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// echoQuiet answers each line with the same line, and lets quiet clients wait without it.
func echoQuiet(ctx context.Context, nc net.Conn) {
	c := nc.(*conn)
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(past) })
	defer stop()
	in := bufio.NewReader(c)
	for {
		err := c.WaitReadable()
		if errors.Is(err, errQuiet) {
			c.Resume(func(ctx context.Context) { echoQuiet(ctx, c) })
			return
		}
		var line string
		if err == nil {
			line, err = in.ReadString('\n')
		}
		if err == nil {
			_, err = io.WriteString(c, line)
		}
		if err != nil {
			return
		}
	}
}

// newQuietBench is a bench without virtual time, because it is about real sockets.
func newQuietBench(t *testing.T, set settings) (*bench, <-chan error) {
	b := newBench(t, set, Options{}, echoQuiet)
	b.quietAtFirst, b.quietAfter = 10*time.Millisecond, 20*time.Millisecond
	return b, b.start()
}

// connect puts a client with a real socket into the queue.
func (b *bench) connect() net.Conn {
	client, server := socketPair(b.t)
	b.listener.mu.Lock()
	defer b.listener.mu.Unlock()
	b.listener.queue = append(b.listener.queue, server)
	b.listener.wake()
	return client
}

func TestQuietClientsHaveNoGoroutine(t *testing.T) {
	const clients = 200
	before := runtime.NumGoroutine()
	b, result := newQuietBench(t, settings{ipcTimeout: time.Hour})
	var list []net.Conn
	for range clients {
		list = append(list, b.connect())
	}
	for round := range 3 {
		eventually(t, "quiet clients without goroutines", func() bool { return runtime.NumGoroutine() < before+clients/2 })
		for i, c := range list {
			line := fmt.Sprintf("round %d client %d", round, i)
			if got := ask(t, c, line); got != line {
				t.Errorf("got %q, want %q", got, line)
			}
		}
	}
	for _, c := range list[:clients/2] {
		c.Close()
	}
	eventually(t, "clients that have left are not counted", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.clients) == clients/2
	})
	eventually(t, "all others are parked", func() bool { return b.parkedClients() == clients/2 })
	b.leave("end of test")
	for _, c := range list[clients/2:] {
		if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read %d bytes, %v from a worker that has left", n, err)
		}
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// A client who sends something while the worker is about to leave gets an answer or the end, never a reset.
func TestLeavingWhileQuietClientsWakeUp(t *testing.T) {
	for range 20 {
		b, result := newQuietBench(t, settings{})
		c := b.connect()
		eventually(t, "the client is parked", func() bool { return b.parkedClients() == 1 })
		go b.leave("end of test")
		_, err := io.WriteString(c, "x\n")
		line := make([]byte, 2)
		if err == nil {
			_, err = io.ReadFull(c, line)
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) || err == nil && string(line) != "x\n" {
			t.Errorf("%q, %v", line, err)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
}

func TestQuietClientsAndIPCTimeout(t *testing.T) {
	b, result := newQuietBench(t, settings{ipcTimeout: 100 * time.Millisecond})
	c := b.connect()
	eventually(t, "the client is parked", func() bool { return b.parkedClients() == 1 })
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v after ipc_timeout", n, err)
	}
	b.leave("end of test")
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// parkedClients returns how many clients are parked.
func (b *bench) parkedClients() int {
	b.mu.Lock()
	p := b.parking
	b.mu.Unlock()
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parked)
}
