package postfixtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// Memcached is a private memcached server on a UNIX socket that everybody may connect to.
type Memcached struct {
	Socket string

	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}
}

// StartMemcached starts a server that is stopped at the end of the test.
func StartMemcached(t testing.TB) *Memcached {
	t.Helper()
	testenv.Require(t, testenv.Memcached)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &Memcached{Socket: filepath.Join(dir, "s"), t: t}
	m.Start()
	t.Cleanup(m.Kill)
	return m
}

// Start starts a server that was killed, on its old socket. It is empty.
func (m *Memcached) Start() {
	m.t.Helper()
	path, err := testenv.LookProgram("memcached")
	if err != nil {
		m.t.Fatal(err)
	}
	who, err := user.Current()
	if err != nil {
		m.t.Fatal(err)
	}
	_ = os.Remove(m.Socket) // of a server that was killed
	m.cmd = exec.Command(path, "-s", m.Socket, "-a", "0777", "-u", who.Username, "-m", "16", "-t", "2")
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // it was killed
		close(done)
	}(m.cmd, m.done)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("unix", m.Socket)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("memcached does not start: %v", err)
		}
	}
}

// Freeze stops the server with SIGSTOP: it keeps its connections and answers nothing until Thaw.
func (m *Memcached) Freeze() {
	m.t.Helper()
	FreezeProcess(m.t, m.cmd.Process.Pid)
}

// Thaw lets a frozen server go on.
func (m *Memcached) Thaw() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		m.t.Fatal(err)
	}
}

// Kill ends the server without a warning.
func (m *Memcached) Kill() {
	_ = m.cmd.Process.Kill() // fails only when it has ended
	<-m.done
}

// Command sends a command line, with what follows it, and returns the first line of the reply.
func (m *Memcached) Command(format string, args ...any) string {
	m.t.Helper()
	conn, err := net.Dial("unix", m.Socket)
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		m.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, format+"\r\n", args...); err != nil {
		m.t.Fatal(err)
	}
	reply := make([]byte, 1<<16)
	n, err := conn.Read(reply)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(reply[:n])
}
