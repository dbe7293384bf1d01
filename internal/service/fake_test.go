package service

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

// fakeListener is a listening socket inside a synctest bubble, whose virtual time real sockets would stop.
type fakeListener struct {
	mu      sync.Mutex
	queue   []net.Conn
	past    bool
	changed chan struct{}
	late    net.Conn // a client that Accept has taken at the very moment when the deadline is set
}

func newFakeListener() *fakeListener { return &fakeListener{changed: make(chan struct{})} }

func (l *fakeListener) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeListener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		if c := l.late; l.past && c != nil {
			l.late = nil
			l.mu.Unlock()
			return c, nil
		}
		if l.past {
			l.mu.Unlock()
			return nil, os.ErrDeadlineExceeded
		}
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.queue = l.queue[1:]
			l.mu.Unlock()
			return c, nil
		}
		changed := l.changed
		l.mu.Unlock()
		<-changed
	}
}

func (l *fakeListener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.past = !t.IsZero() && !t.After(time.Now())
	l.wake()
	return nil
}

func (l *fakeListener) Pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) > 0
}

// dial puts a client into the queue.
func (l *fakeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, theirs)
	l.wake()
	return ours
}

// dialLate makes a client that is accepted when the worker next stops accepting.
func (l *fakeListener) dialLate() net.Conn {
	ours, theirs := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = theirs
	return ours
}

// bench is a worker in a synctest bubble.
type bench struct {
	*worker
	t        *testing.T
	listener *fakeListener
	log      *test.Hook

	statusMu sync.Mutex
	statuses []uint32
}

func newBench(t *testing.T, set settings, opt Options, serve func(context.Context, net.Conn)) *bench {
	log, hook := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	if set.maxClients == 0 {
		set.maxClients = DefaultMaxClients
	}
	b := &bench{t: t, listener: newFakeListener(), log: hook}
	b.worker = newWorker(opt, set, log, Service{Name: "proxymap", Serve: serve}, nil, []listener{b.listener})
	b.worker.notify = func(status uint32) error {
		b.statusMu.Lock()
		defer b.statusMu.Unlock()
		b.statuses = append(b.statuses, status)
		return nil
	}
	return b
}

// start runs the worker; the result comes when it has ended.
func (b *bench) start() <-chan error {
	result := make(chan error, 1)
	go func() {
		err := b.serveClients()
		b.cancel()
		result <- err
	}()
	return result
}

func (b *bench) wantStatuses(want ...uint32) {
	b.t.Helper()
	b.statusMu.Lock()
	defer b.statusMu.Unlock()
	if !slices.Equal(b.statuses, want) {
		b.t.Errorf("status messages %v, want %v", b.statuses, want)
	}
}

// echo answers each line with the same line.
func echo(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
}

// ask sends a line and returns the answer.
func ask(t *testing.T, c net.Conn, line string) string {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatalf("send %q: %v", line, err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatalf("answer to %q: %v", line, err)
	}
	return answer[:len(answer)-1]
}
