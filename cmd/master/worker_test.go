package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// workerDir is the variable that makes this test binary a worker, and says where
// the worker writes about itself.
const workerDir = "PROXYMAPD_TEST_WORKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(workerDir); dir != "" {
		os.Exit(work(dir))
	}
	os.Exit(m.Run())
}

// report is what a worker finds when it is started.
type report struct {
	Args        []string
	Env         []string
	Cwd         string
	Umask       int
	OwnGroup    bool     // leads a process group
	Descriptors []string // kind, access mode and O_NONBLOCK of 0, 1, 2...
	Pid         int
	Group       int
}

// work is a worker. What it does depends on its command's name: fail ends at once
// with status 1; the others serve one client after the other and write down what
// they send: take does only that, session leads a session of its own, and parent
// has a child process.
func work(dir string) int {
	if filepath.Base(os.Args[0]) == "session" {
		unix.Setsid()
	}
	r := newReport()
	service := filepath.Base(os.Args[0])
	for i, arg := range os.Args {
		if arg == "-n" {
			service = strings.ReplaceAll(os.Args[i+1], ":", "_")
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return 2
	}
	name := filepath.Join(dir, "report."+service+"."+strconv.Itoa(os.Getpid()))
	if os.WriteFile(name+".tmp", text, 0o644) != nil || os.Rename(name+".tmp", name) != nil {
		return 2
	}
	switch filepath.Base(os.Args[0]) {
	case "fail":
		return 1
	case "parent":
		if exec.Command("/bin/sleep", "1000").Start() != nil {
			return 2
		}
	}
	w := &worker{dir: dir, service: service}
	for w.serve() {
	}
	return 0
}

func newReport() *report {
	cwd, _ := os.Getwd()
	umask := unix.Umask(0o77)
	r := &report{Args: os.Args, Cwd: cwd, Umask: umask, OwnGroup: unix.Getpgrp() == os.Getpid(),
		Pid: os.Getpid(), Group: unix.Getpgrp()}
	r.Env = os.Environ()
	sort.Strings(r.Env)
	for fd := 0; fd < 10; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		cloexec, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || cloexec&unix.FD_CLOEXEC != 0 {
			continue // not open, or opened by the Go runtime of this program
		}
		link, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		kind, _, _ := strings.Cut(link, ":")
		r.Descriptors = append(r.Descriptors, fmt.Sprintf("%d %s %#x", fd, kind, flags&(unix.O_ACCMODE|unix.O_NONBLOCK)))
	}
	return r
}

// worker serves clients as Postfix's single-client servers do.
type worker struct{ dir, service string }

func (w *worker) serve() bool {
	fds := []unix.PollFd{{Fd: 5, Events: unix.POLLIN}, {Fd: 6, Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, -1); err != nil {
		return err == unix.EINTR
	}
	if fds[0].Revents != 0 {
		return false // the master is gone
	}
	for _, fd := range fds[1:] {
		if fd.Revents != 0 {
			w.client(int(fd.Fd))
		}
	}
	return true
}

// client takes a client, or a message, from a listening descriptor.
func (w *worker) client(listen int) {
	conn, _, err := unix.Accept(listen)
	switch err {
	case unix.EAGAIN:
		return
	case unix.ENOTSOCK, unix.EOPNOTSUPP, unix.EINVAL: // fifo, datagrams
		buf := make([]byte, 100)
		n, _ := unix.Read(listen, buf)
		w.note(buf[:max(n, 0)])
		return
	case nil:
	default:
		return
	}
	defer unix.Close(conn)
	w.tell(0)
	defer w.tell(1)
	if filepath.Base(os.Args[0]) == "session" {
		w.note([]byte("accepted"))
	}
	var got []byte
	buf, oob := make([]byte, 100), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(conn, buf, oob, 0)
		if err != nil {
			break
		}
		if oobn > 0 { // a descriptor is passed: the request is there
			messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
			passed, _ := unix.ParseUnixRights(&messages[0])
			n, _ = unix.Read(passed[0], buf)
			unix.Close(passed[0])
			got = append(got, "passed:"...)
		}
		if n <= 0 {
			break
		}
		got = append(got, buf[:n]...)
		if bytes.IndexByte(got, 0) >= 0 {
			break
		}
	}
	w.note(got)
}

func (w *worker) note(text []byte) {
	f, err := os.OpenFile(filepath.Join(w.dir, "got."+w.service), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintf(f, "%q\n", text)
		f.Close()
	}
}

// tell writes a status message.
func (w *worker) tell(avail uint32) {
	generation, _ := strconv.ParseUint(os.Getenv("GENERATION"), 8, 32)
	b := binary.NativeEndian.AppendUint32(nil, uint32(os.Getpid()))
	b = binary.NativeEndian.AppendUint32(b, uint32(generation))
	unix.Write(5, binary.NativeEndian.AppendUint32(b, avail))
}

// eventually waits for a condition, as long as a test has patience.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
