package service

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeMaster hands descriptors to workers as master(8) does.
type fakeMaster struct {
	t         *testing.T
	dir       string
	paths     []string
	listeners []*os.File
	flow      [2]*os.File
	ours      *os.File // our end of the status channel
	theirs    *os.File

	mu       sync.Mutex
	statuses []statusRecord
}

type statusRecord struct{ pid, generation, available uint32 }

// newFakeMaster makes listening sockets and a configuration.
func newFakeMaster(t *testing.T, sockets int, mainCF string) *fakeMaster {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &fakeMaster{t: t, dir: dir}
	mainCF = "queue_directory = " + dir + "\nmail_owner = postfix\n" + mainCF
	m.must(os.WriteFile(filepath.Join(dir, "main.cf"), []byte(mainCF), 0o644))
	old := time.Now().Add(-time.Minute)
	m.must(os.Chtimes(filepath.Join(dir, "main.cf"), old, old))
	exe, err := os.Executable()
	m.must(err)
	m.must(os.Symlink(exe, filepath.Join(dir, workerName)))
	for i := range sockets {
		m.listen(filepath.Join(dir, fmt.Sprint("s", i)))
	}
	m.makePipes()
	return m
}

func (m *fakeMaster) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *fakeMaster) listen(path string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	m.must(err)
	f, err := l.File()
	m.must(err)
	m.t.Cleanup(func() { l.Close(); f.Close() })
	m.paths = append(m.paths, path)
	m.listeners = append(m.listeners, f)
}

func (m *fakeMaster) makePipes() {
	var err error
	m.flow[0], m.flow[1], err = os.Pipe()
	m.must(err)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	m.must(err)
	m.ours, m.theirs = os.NewFile(uintptr(fds[0]), "status"), os.NewFile(uintptr(fds[1]), "status")
	m.t.Cleanup(func() {
		for _, f := range []*os.File{m.flow[0], m.flow[1], m.ours, m.theirs} {
			f.Close()
		}
	})
	go func() {
		var message [12]byte
		for {
			if _, err := io.ReadFull(m.ours, message[:]); err != nil {
				return
			}
			m.mu.Lock()
			m.statuses = append(m.statuses, statusRecord{binary.NativeEndian.Uint32(message[:]),
				binary.NativeEndian.Uint32(message[4:]), binary.NativeEndian.Uint32(message[8:])})
			m.mu.Unlock()
		}
	}()
}

// die closes what the master holds of the status channel. shutdown(2) does it also while a goroutine reads.
func (m *fakeMaster) die() {
	m.must(unix.Shutdown(int(m.ours.Fd()), unix.SHUT_RDWR))
}

// child is a running worker.
type child struct {
	m      *fakeMaster
	cmd    *exec.Cmd
	output bytes.Buffer
	done   chan struct{}
	err    error
}

// spawn starts a worker with the options that master(8) gives, and more.
func (m *fakeMaster) spawn(options ...string) *child {
	m.t.Helper()
	args := append([]string{"-t", "unix", "-s", fmt.Sprint(len(m.listeners)), "-V"}, options...)
	c := m.command(args...)
	c.cmd.Env = append(c.cmd.Env, "GENERATION=17")
	c.cmd.ExtraFiles = append([]*os.File{m.flow[0], m.flow[1], m.theirs}, m.listeners...)
	c.start()
	return c
}

// command prepares a worker without descriptors.
func (m *fakeMaster) command(args ...string) *child {
	c := &child{m: m, cmd: exec.Command(filepath.Join(m.dir, workerName), args...), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "MAIL_CONFIG="+m.dir)
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	return c
}

func (c *child) start() {
	c.m.t.Helper()
	c.m.must(c.cmd.Start())
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	c.m.t.Cleanup(func() {
		select {
		case <-c.done:
		default:
			c.cmd.Process.Kill()
			<-c.done
		}
	})
}

// wait returns the exit status when the worker has ended by itself.
func (c *child) wait() syscall.WaitStatus {
	c.m.t.Helper()
	select {
	case <-c.done:
	case <-time.After(30 * time.Second):
		c.m.t.Fatalf("worker %d has not ended; output:\n%s", c.cmd.Process.Pid, c.dump())
	}
	return c.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// exits fails the test unless the worker ends by itself with the exit status.
func (c *child) exits(status int) {
	c.m.t.Helper()
	if got := c.wait(); !got.Exited() || got.ExitStatus() != status {
		c.m.t.Errorf("worker ended with %v, want exit status %d; output:\n%s", c.cmd.ProcessState, status, &c.output)
	}
}

// dump ends the worker and returns its output.
func (c *child) dump() string {
	c.cmd.Process.Kill()
	<-c.done
	return c.output.String()
}

// dial connects to a socket of the service.
func (m *fakeMaster) dial(socket int) net.Conn {
	m.t.Helper()
	c, err := net.Dial("unix", m.paths[socket])
	m.must(err)
	m.must(c.SetDeadline(time.Now().Add(30 * time.Second)))
	m.t.Cleanup(func() { c.Close() })
	return c
}

// statusesOf returns the available fields that a worker has sent.
func (m *fakeMaster) statusesOf(c *child) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, s := range m.statuses {
		if s.pid == uint32(c.cmd.Process.Pid) && s.generation == 0o17 {
			list = append(list, fmt.Sprint(s.available))
		}
	}
	return strings.Join(list, " ")
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}
