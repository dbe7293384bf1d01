// Package streamtest tests the map types that talk to a server over a socket: it has servers that do what a test wants,
// however rude, and compares our tables with Postfix's on the same servers.
package streamtest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long tests wait for something that must happen. It only delays tests that fail.
const Patience = 20 * time.Second

// Server accepts connections and leaves them to a function of the test, each in its own goroutine. The function's
// return closes the connection.
type Server struct {
	Network string // "tcp" or "unix"
	Addr    string // host:port or path

	t        testing.TB
	serve    func(net.Conn)
	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	accepted int
	running  sync.WaitGroup
}

// Listen starts a server, on a free port of 127.0.0.1 or a new UNIX socket, that is stopped at the end of the test.
func Listen(t testing.TB, network string, serve func(net.Conn)) *Server {
	t.Helper()
	s := &Server{Network: network, Addr: "127.0.0.1:0", t: t, serve: serve, open: map[net.Conn]bool{}}
	if network == "unix" {
		s.Addr = filepath.Join(TempDir(t), "s")
	}
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// TempDir returns a directory with a name that is short enough for UNIX sockets, and removes it at the end of the test.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Endpoint returns the server as "inet:host:port" or "unix:path".
func (s *Server) Endpoint() string {
	if s.Network == "unix" {
		return "unix:" + s.Addr
	}
	return "inet:" + s.Addr
}

// Start starts a server that was stopped at its old address.
func (s *Server) Start() {
	s.t.Helper()
	l, err := net.Listen(s.Network, s.Addr)
	for deadline := time.Now().Add(Patience); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
		l, err = net.Listen(s.Network, s.Addr)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Addr = l.Addr().String()
	s.listener = l
	s.running.Go(func() { s.accept(l) })
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // stopped
		}
		s.mu.Lock()
		s.accepted++
		s.open[conn] = true
		s.mu.Unlock()
		s.running.Go(func() {
			s.serve(conn)
			s.mu.Lock()
			delete(s.open, conn)
			s.mu.Unlock()
			conn.Close()
		})
	}
}

// Stop closes the socket and all connections, and waits for their goroutines.
func (s *Server) Stop() {
	s.mu.Lock()
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	s.mu.Unlock()
	s.Disconnect()
	s.running.Wait()
}

// Disconnect closes all connections.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		conn.Close()
	}
}

// Accepted returns how many connections there were.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open returns how many connections there are.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Reset makes the server's end of a connection end with a reset instead of an orderly close.
func Reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only when it is closed
	}
}
