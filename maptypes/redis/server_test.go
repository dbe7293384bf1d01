package redis_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// patience is how long the tests wait for something that must happen. It only
// delays tests that fail.
const patience = 30 * time.Second

// durable makes a server keep every change on its disk before it acknowledges it.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// server is a private redis-server, or a sentinel.
type server struct {
	t    testing.TB
	dir  string
	port int
	args []string
	cmd  *exec.Cmd
	done chan struct{}
}

// newServer starts a server with the given settings in addition.
func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	testenv.Require(t, testenv.Redis)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: dir, port: freePort(t)}
	s.args = append([]string{
		"--bind", "127.0.0.1", "--dir", dir, "--unixsocket", s.socket(), "--logfile", "log", "--save", "",
		"--daemonize", "no",
	}, args...)
	t.Cleanup(s.cleanup)
	s.start()
	return s
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) socket() string  { return filepath.Join(s.dir, "s") }
func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *server) cleanup() {
	s.kill()
	if s.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.t.Logf("log of the server on port %d:\n%s", s.port, log)
	}
	os.RemoveAll(s.dir)
}

// start starts the server, again after kill or stop, and returns when it answers.
func (s *server) start() {
	s.t.Helper()
	s.launch("redis-server")
	s.wait("the server to answer", func() bool {
		reply, err := s.try("PING")
		return err == nil && (reply == "PONG" || strings.HasPrefix(reply, "NOAUTH"))
	})
}

func (s *server) launch(program string) {
	s.t.Helper()
	path, err := testenv.LookProgram(program)
	if err != nil {
		s.t.Fatal(err)
	}
	args := s.args
	if args[0] != "sentinel.conf" {
		args = append([]string{"--port", fmt.Sprint(s.port)}, args...)
	}
	s.cmd = exec.Command(path, args...)
	s.cmd.Dir = s.dir
	// The server ends with the test binary, even when that is killed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // its exit status does not matter
		close(done)
	}(s.cmd, s.done)
}

func (s *server) wait(what string, ready func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited too long for %s", what)
		}
	}
}

func (s *server) kill() { s.end(syscall.SIGKILL) }
func (s *server) stop() { s.end(syscall.SIGTERM) }

func (s *server) end(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // fails only when it has ended
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Errorf("the server does not end on %v", sig)
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) freeze() { postfixtest.FreezeProcess(s.t, s.cmd.Process.Pid) }
func (s *server) thaw()   { s.signal(syscall.SIGCONT) }

// try has the server perform a command and returns what redis-cli prints.
func (s *server) try(args ...string) (string, error) {
	cli, err := testenv.LookProgram("redis-cli")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(cli, append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(s.port), "--no-auth-warning"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return strings.TrimSuffix(out.String(), "\n"), err
}

// do is try for a command that must succeed.
func (s *server) do(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil || strings.HasPrefix(out, "ERR ") {
		s.t.Fatalf("%q: %s %v", args, out, err)
	}
	return out
}

// feed has the server perform many commands, one a line.
func (s *server) feed(commands string) {
	s.t.Helper()
	cli, err := testenv.LookProgram("redis-cli")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(cli, "-h", "127.0.0.1", "-p", fmt.Sprint(s.port))
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("ERR ")) {
		s.t.Fatalf("%s %v", out, err)
	}
}
