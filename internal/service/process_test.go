package service

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// command sends a command and returns the process ID of the worker that answers.
func command(c net.Conn, text string) (pid int, err error) {
	if _, err := fmt.Fprintln(c, text); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(line, &pid)
	return pid, err
}

// answeredBy fails the test unless the worker answers the command.
func answeredBy(t *testing.T, c net.Conn, text string, w *child) {
	t.Helper()
	if pid, err := command(c, text); err != nil || pid != w.cmd.Process.Pid {
		t.Errorf("%s: answer from %d (%v), want %d", text, pid, err, w.cmd.Process.Pid)
	}
}

func TestMaxUseStatusMessages(t *testing.T) {
	m := newFakeMaster(t, 2, "max_use = 2\n")
	w := m.spawn()
	stays := m.dial(0)
	answeredBy(t, stays, "pid", w)
	eventually(t, "first answer is told", func() bool { return m.statusesOf(w) == "0 1" })
	for i := range 2 {
		c := m.dial(i)
		answeredBy(t, c, "pid", w)
		c.Close()
	}
	eventually(t, "max_use is told", func() bool { return m.statusesOf(w) == "0 1 0" })

	waiting := m.dial(1)
	next := m.spawn()
	answeredBy(t, waiting, "pid", next)
	answeredBy(t, stays, "pid", w)
	stays.Close()
	w.exits(0)
	answeredBy(t, waiting, "pid", next)
}

// Clients come and go faster than workers do. Each gets its answer; none is reset.
func TestMaxUseTurnoverLosesNoClient(t *testing.T) {
	const clients, requests, maxUse = 8, 60, 3
	m := newFakeMaster(t, 1, fmt.Sprintf("max_use = %d\n", maxUse))
	stop := make(chan struct{})
	var masters, users sync.WaitGroup
	var ended struct {
		sync.Mutex
		workers int
	}
	for range 3 {
		masters.Go(func() {
			for {
				w := m.spawn()
				select {
				case <-stop:
					w.cmd.Process.Kill()
					return
				case <-w.done:
				}
				w.exits(0)
				ended.Lock()
				ended.workers++
				ended.Unlock()
			}
		})
	}
	for range clients {
		users.Go(func() {
			for range requests {
				c, err := net.Dial("unix", m.paths[0])
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := command(c, "pid"); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	users.Wait()
	close(stop)
	masters.Wait()
	if ended.workers == 0 {
		t.Error("no worker reached max_use")
	}
	t.Logf("%d clients, %d workers reached max_use", clients*requests, ended.workers)
}

func TestIdleProcessEnds(t *testing.T) {
	m := newFakeMaster(t, 1, "")
	w := m.spawn("-i", "1s", "-v")
	w.exits(0)
	if !strings.Contains(w.output.String(), "idle timeout -- exiting") {
		t.Errorf("output:\n%s", &w.output)
	}
}

func TestSeveralWorkersOnOneSocket(t *testing.T) {
	m := newFakeMaster(t, 1, "max_use = 100000\n")
	workers := map[int]*child{}
	for range 3 {
		w := m.spawn("-v")
		workers[w.cmd.Process.Pid] = w
	}
	seen := map[int]bool{}
	var open []net.Conn
	eventually(t, "all workers have a client", func() bool {
		c := m.dial(0)
		open = append(open, c)
		pid, err := command(c, "pid")
		if err != nil || workers[pid] == nil {
			for _, w := range workers {
				t.Logf("worker %d:\n%s", w.cmd.Process.Pid, w.dump())
			}
			t.Fatalf("answer from %d, %v", pid, err)
		}
		seen[pid] = true
		return len(seen) == len(workers)
	})
	for _, c := range open { // a worker that has lost a race for a client still serves those that it has
		if _, err := command(c, "pid"); err != nil {
			t.Error(err)
		}
	}
}

func TestMasterGone(t *testing.T) {
	m := newFakeMaster(t, 1, "")
	w := m.spawn("-v")
	busy, idle := m.dial(0), m.dial(0)
	answeredBy(t, idle, "pid", w)
	answeredBy(t, busy, "pid", w)
	fmt.Fprintln(busy, "sleep 1s")
	answeredBy(t, idle, "pid", w) // by now the other request has been read, too
	m.die()
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("idle client: %d bytes, %v; want end of file", n, err)
	}
	if line, err := bufio.NewReader(busy).ReadString('\n'); err != nil || line != fmt.Sprintln(w.cmd.Process.Pid) {
		t.Errorf("client with a request: %q, %v", line, err)
	}
	w.exits(0)
	if !strings.Contains(w.output.String(), "master disconnect -- exiting") {
		t.Errorf("output:\n%s", &w.output)
	}
}

func TestTermEndsReader(t *testing.T) {
	m := newFakeMaster(t, 1, "")
	w := m.spawn("-n", "proxymap")
	c := m.dial(0)
	answeredBy(t, c, "pid", w)
	w.cmd.Process.Signal(syscall.SIGTERM)
	if got := w.wait(); !got.Signaled() || got.Signal() != syscall.SIGTERM {
		t.Errorf("ended with %v, want a death by SIGTERM", w.cmd.ProcessState)
	}
}

func TestTermLetsWriterFinish(t *testing.T) {
	m := newFakeMaster(t, 1, "")
	w := m.spawn("-n", "proxywrite", "-l")
	c := m.dial(0)
	answeredBy(t, c, "pid", w)
	if sid, err := getsid(w.cmd.Process.Pid); err != nil || sid != w.cmd.Process.Pid {
		t.Errorf("session %d (%v), want its own %d", sid, err, w.cmd.Process.Pid)
	}
	other := m.dial(0)
	fmt.Fprintln(c, "sleep 1s")
	answeredBy(t, other, "pid", w)
	w.cmd.Process.Signal(syscall.SIGTERM)
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Errorf("%q, %v", line, err)
	}
	w.exits(0)
}

func getsid(pid int) (int, error) {
	sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sid), nil
}

func TestPanicInProcess(t *testing.T) {
	m := newFakeMaster(t, 1, "")
	w := m.spawn()
	broken, other := m.dial(0), m.dial(0)
	if pid, err := command(broken, "panic over the\twall"); err != io.EOF {
		t.Errorf("%d, %v", pid, err)
	}
	answeredBy(t, other, "pid", w)
	text := w.dump()
	for _, want := range []string{"error: svcworker: panic while serving a client: over the?wall\n", "serveTest"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the output:\n%s", want, text)
		}
	}
}

func TestStdio(t *testing.T) {
	m := newFakeMaster(t, 0, "")
	c := m.command("-S", "-n", "proxymap")
	c.cmd.Stdin = strings.NewReader("pid\npid\n")
	c.start()
	c.exits(0)
	if want := fmt.Sprintf("%d\n%[1]d\n", c.cmd.Process.Pid); c.output.String() != want {
		t.Errorf("output %q, want %q", &c.output, want)
	}
}

func TestByHand(t *testing.T) {
	m := newFakeMaster(t, 0, "")
	c := m.command()
	c.start()
	c.exits(1)
	for _, want := range []string{"svcworker: do not run this command by hand", "postmap -q key type:name"} {
		if !strings.Contains(c.output.String(), want) {
			t.Errorf("%q is not in the output:\n%s", want, &c.output)
		}
	}
}

func TestFatalStart(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, test := range map[string]struct {
		options []string
		env     string
		change  func(*child)
		want    string
	}{
		"transport":   {options: []string{"-t", "fifo"}, want: "fatal: unsupported transport type: fifo"},
		"generation":  {env: "GENERATION=8", want: "fatal: bad generation: 8"},
		"parameter":   {options: []string{"-o", "max_use=many"}, want: "max_use"},
		"queue":       {options: []string{"-o", "queue_directory=/no/such"}, want: `fatal: chdir("/no/such"): no such file or directory`},
		"user":        {options: []string{"-u", "-o", "mail_owner=nobody-knows"}, want: "fatal: unknown user: nobody-knows"},
		"status":      {change: func(c *child) { c.cmd.ExtraFiles[2] = null }, want: "descriptor 5 is not a status channel"},
		"listener":    {change: func(c *child) { c.cmd.ExtraFiles[3] = null }, want: "descriptor 6: not a listening socket"},
		"preparation": {options: []string{"-n", "failing"}, want: "fatal: no such thing as a failing service"},
		"debugger":    {options: []string{"-D", "-o", "debugger_command="}, want: "fatal: no debugger_command variable set up"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newFakeMaster(t, 1, "")
			c := m.command(append([]string{"-t", "unix", "-V"}, test.options...)...)
			c.cmd.Env = append(c.cmd.Env, "GENERATION=1", test.env)
			c.cmd.ExtraFiles = append([]*os.File{m.flow[0], m.flow[1], m.theirs}, m.listeners...)
			if test.change != nil {
				test.change(c)
			}
			c.start()
			c.exits(1)
			if !strings.Contains(c.output.String(), test.want) {
				t.Errorf("%q is not in the output:\n%s", test.want, &c.output)
			}
		})
	}
}

func TestDebuggerCommand(t *testing.T) {
	m := newFakeMaster(t, 1, "debugger_command = (echo $process_name $process_id; cd /proc/self/fd; echo *) >$queue_directory/debugged\n")
	w := m.spawn("-D")
	answeredBy(t, m.dial(0), "pid", w)
	got, err := os.ReadFile(m.dir + "/debugged")
	name, descriptors, _ := strings.Cut(string(got), "\n")
	if want := fmt.Sprint(workerName, " ", w.cmd.Process.Pid); err != nil || name != want {
		t.Errorf("%q, %v; want %q", name, err, want)
	}
	for _, fd := range strings.Fields(descriptors) {
		if fd == "4" || fd == "5" || fd == "6" {
			t.Errorf("the command has inherited descriptor %s of %s", fd, descriptors)
		}
	}
}
