package service

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sirupsen/logrus"
)

// serveStdio serves the one client on standard input and output.
func serveStdio(set settings, log *logrus.Logger, s Service) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := &worker{log: log, name: s.Name}
	c := &conn{Conn: stdio{}, timeout: set.ipcTimeout, leaving: func() bool { return false }, answered: func() {}}
	func() {
		defer w.survive()
		s.Serve(ctx, c)
	}()
	if s.Exit != nil {
		s.Exit()
	}
}

// stdio makes standard input and output one connection. Deadlines work only where the descriptors are non-blocking.
type stdio struct{}

func (stdio) Read(p []byte) (int, error)         { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error)        { return os.Stdout.Write(p) }
func (stdio) Close() error                       { return errors.Join(os.Stdin.Close(), os.Stdout.Close()) }
func (stdio) LocalAddr() net.Addr                { return stdioAddr{} }
func (stdio) RemoteAddr() net.Addr               { return stdioAddr{} }
func (stdio) SetReadDeadline(t time.Time) error  { return os.Stdin.SetReadDeadline(t) }
func (stdio) SetWriteDeadline(t time.Time) error { return os.Stdout.SetWriteDeadline(t) }

func (s stdio) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "standard input" }
