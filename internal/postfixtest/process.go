package postfixtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long the helpers wait for something that must happen. It only delays tests that fail.
const patience = 20 * time.Second

// process is a running master.
type process struct {
	cmd    *exec.Cmd
	output string        // file with its standard output and error
	done   chan struct{} // closed when it has ended
}

// Start starts the master at path (ours or Postfix's) in the foreground with the given extra options, and waits until
// it has logged that it is up and every socket of master.cf exists.
func (i *Instance) Start(path string, options ...string) {
	i.t.Helper()
	logged := len(i.Log())
	i.launch(path, options...)
	i.wait(path+" to start", func() error {
		if err := i.exited(); err != nil {
			return err
		}
		if !strings.Contains(i.Log()[logged:], "daemon started -- version") {
			return errWait
		}
		return i.missingSocket()
	})
}

// launch starts a master without waiting for anything.
func (i *Instance) launch(path string, options ...string) {
	i.t.Helper()
	if i.process != nil {
		i.t.Fatal("the instance has a master already")
	}
	output, err := os.CreateTemp(i.Dir, "out")
	if err != nil {
		i.t.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command(path, append([]string{"-c", i.Conf, "-d"}, options...)...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+i.Conf)
	// With -d the master makes no session of its own, and on SIGTERM it ends the process group that it leads.
	// It ends with the test binary, even when that panics.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if i.user && os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(i.UID), Gid: uint32(i.GID)}
	}
	if err := cmd.Start(); err != nil {
		i.t.Fatalf("start %s: %v", path, err)
	}
	i.process = &process{cmd: cmd, output: output.Name(), done: make(chan struct{})}
	go func(p *process) {
		_ = p.cmd.Wait() // its exit status is in ProcessState
		close(p.done)
	}(i.process)
}

// MasterPID returns the process id of the running master.
func (i *Instance) MasterPID() int {
	i.t.Helper()
	if i.process == nil {
		i.t.Fatal("the instance has no master")
	}
	return i.process.cmd.Process.Pid
}

// Output returns what the last master and its children wrote to standard output and standard error.
func (i *Instance) Output() string {
	if i.process == nil {
		return ""
	}
	text, err := os.ReadFile(i.process.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Reload sends SIGHUP to the master and waits until it has logged the reload and all services have their sockets.
func (i *Instance) Reload() {
	i.t.Helper()
	logged := len(i.Log())
	i.signal(syscall.SIGHUP)
	i.wait("the master to reload", func() error {
		if err := i.exited(); err != nil {
			return err
		}
		switch text := i.Log()[logged:]; {
		case !strings.Contains(text, "reload -- version"):
			return errWait
		case strings.Contains(text, "keeping the old configuration"):
			return nil
		}
		return i.missingSocket() // the line comes first
	})
}

// Stop sends SIGTERM to the master, waits for it, and fails the test when any process of the instance is left then;
// such a process is killed. It does nothing when no master runs.
func (i *Instance) Stop() {
	i.t.Helper()
	if i.process == nil {
		return
	}
	if i.exited() == nil {
		i.signal(syscall.SIGTERM)
	}
	i.reap()
}

// Kill sends SIGKILL to the master, which leaves the workers to themselves, and waits until they have noticed.
func (i *Instance) Kill() {
	i.t.Helper()
	i.signal(syscall.SIGKILL)
	i.reap()
}

// WaitExit waits until the master has ended by itself and returns how.
func (i *Instance) WaitExit() *os.ProcessState {
	i.t.Helper()
	p := i.process
	if p == nil {
		i.t.Fatal("the instance has no master")
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		i.t.Fatal("the master does not end")
	}
	return p.cmd.ProcessState
}

func (i *Instance) signal(sig syscall.Signal) {
	i.t.Helper()
	if err := syscall.Kill(i.MasterPID(), sig); err != nil {
		i.t.Fatalf("signal %v to the master: %v", sig, err)
	}
}

// reap waits for the master and for every other process of the instance.
func (i *Instance) reap() {
	i.t.Helper()
	p := i.process
	deadline := time.Now().Add(patience)
	select {
	case <-p.done:
	case <-time.After(patience):
		i.t.Errorf("the master %d does not end", p.cmd.Process.Pid)
		_ = p.cmd.Process.Kill() // fails only when it has just ended
		<-p.done
	}
	for {
		left := i.Processes()
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			for _, one := range left {
				i.t.Errorf("left behind after the end of the master: %v", one)
				_ = syscall.Kill(one.PID, syscall.SIGKILL) // fails only when it has just ended
			}
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	i.process = nil
}

// errWait is the answer of a condition that does not hold yet.
var errWait = errors.New("not yet")

// wait asks until the condition returns nil, and fails the test when it returns an error other than errWait or when
// time is up.
func (i *Instance) wait(what string, condition func() error) {
	i.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		err := condition()
		if err == nil {
			return
		}
		if !errors.Is(err, errWait) || time.Now().After(deadline) {
			i.t.Fatalf("waiting for %s: %v\nprocesses: %v\noutput: %s", what, err, i.Processes(), i.Output())
		}
	}
}

// exited returns an error when the master has ended.
func (i *Instance) exited() error {
	select {
	case <-i.process.done:
		return fmt.Errorf("the master has ended: %v", i.process.cmd.ProcessState)
	default:
		return nil
	}
}

// missingSocket returns an error unless every socket and fifo of master.cf exists.
func (i *Instance) missingSocket() error {
	text, err := os.ReadFile(filepath.Join(i.Conf, "master.cf"))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		path := i.socket(string(line))
		if path == "" {
			continue
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&(os.ModeSocket|os.ModeNamedPipe) == 0 {
			return fmt.Errorf("%w: no socket %s", errWait, path)
		}
	}
	return nil
}

// socket returns the path that a line of master.cf asks for, or "" when there is none.
func (i *Instance) socket(line string) string {
	if line == "" || strings.ContainsAny(line[:1], " \t\n#") {
		return ""
	}
	fields := strings.Fields(line)
	if len(fields) < 3 || fields[1] == "inet" {
		return ""
	}
	class := "private"
	if fields[2] == "n" {
		class = "public"
	}
	return filepath.Join(i.Queue, class, fields[0])
}
