package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"golang.org/x/sys/unix"
)

// stockMaster reads the master.cf that Debian installs; its SMTP port becomes one
// that is free.
func stockMaster(t *testing.T, port int) []string {
	t.Helper()
	text, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != '#' {
			lines = append(lines, regexp.MustCompile(`^smtp +inet`).ReplaceAllString(line, strconv.Itoa(port)+" inet"))
		}
	}
	if len(lines) < 20 {
		t.Fatalf("only %d lines in the stock master.cf", len(lines))
	}
	return lines
}

// endpoints lists everything in private/ and public/ with type, mode and owner.
func endpoints(t *testing.T, i *postfixtest.Instance) []string {
	t.Helper()
	var list []string
	for _, dir := range []string{"private", "public"} {
		entries, err := os.ReadDir(filepath.Join(i.Queue, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			var st unix.Stat_t
			if err := unix.Lstat(filepath.Join(i.Queue, dir, e.Name()), &st); err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprintf("%s/%s %o %d:%d", dir, e.Name(), st.Mode, st.Uid, st.Gid))
		}
	}
	return list
}

func TestStockMasterFileStartsWhole(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	start := func(master string) ([]string, *postfixtest.Instance, int) {
		port := postfixtest.FreePort(t)
		i := postfixtest.New(t)
		i.SetMaster(stockMaster(t, port)...)
		i.Start(master)
		return endpoints(t, i), i, port
	}
	want, theirs, _ := start(postfixtest.PostfixMaster())
	theirs.Stop()
	got, ours, port := start(ourMaster(t))
	if !slices.Equal(got, want) {
		t.Errorf("endpoints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	client := postfixtest.DialSMTP(t, port)
	if reply := client.Command("EHLO client.example"); reply.Code != 250 {
		t.Errorf("EHLO: %v", reply)
	}
	// The wakeups at the start reach the queue manager and the pickup service.
	for _, service := range []string{"qmgr", "pickup"} {
		eventually(t, service, func() bool { return len(ours.Workers(service, service)) == 1 })
	}
	if n := len(ours.Workers("smtpd", strconv.Itoa(port))); n != 1 {
		t.Errorf("%d smtpd processes, want 1", n)
	}
	ours.Stop() // fails the test when a process is left
	for _, line := range ours.Trouble() {
		if strings.Contains(line, "postfix/master[") {
			t.Errorf("log: %s", line)
		}
	}
}

// At most one master, of whatever kind, runs on a queue.
func TestSecondMasterIsRefused(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	masters := map[string]string{"ours": ourMaster(t), "Postfix's": postfixtest.PostfixMaster()}
	for first, running := range masters {
		for second, refused := range masters {
			t.Run(first+" then "+second, func(t *testing.T) {
				i := postfixtest.New(t)
				if r := i.Run("", refused, "-c", i.Conf, "-t"); r.Exit != 0 {
					t.Errorf("-t before: exit status %d", r.Exit)
				}
				i.Start(running)
				if r := i.Run("", refused, "-c", i.Conf, "-t"); r.Exit != 1 {
					t.Errorf("-t: exit status %d, want 1", r.Exit)
				}
				if r := i.Run("", refused, "-c", i.Conf, "-e", "10"); r.Exit != 1 {
					t.Errorf("second master: exit status %d, want 1", r.Exit)
				}
				if second == "ours" { // Postfix's tells syslog, because it has not read main.cf yet
					i.WaitLog(`fatal: open lock file pid/master.pid: unable to set exclusive lock: Resource temporarily unavailable`)
				}
				pid, err := os.ReadFile(filepath.Join(i.Queue, "pid/master.pid"))
				if err != nil || string(pid) != fmt.Sprintf("%32d\n", i.MasterPID()) {
					t.Errorf("master.pid %q, %v", pid, err)
				}
				i.Stop()
				if r := i.Run("", refused, "-c", i.Conf, "-t"); r.Exit != 0 {
					t.Errorf("-t after: exit status %d", r.Exit)
				}
			})
		}
	}
}

// The data directory has a lock of its own: it could belong to two queues.
func TestDataDirectoryIsNotShared(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	first, second := postfixtest.New(t), postfixtest.New(t)
	first.Start(postfixtest.PostfixMaster())
	second.SetMain("data_directory", first.Data)
	if r := second.Run("", ourMaster(t), "-c", second.Conf, "-e", "10"); r.Exit != 1 {
		t.Errorf("exit status %d, want 1", r.Exit)
	}
	second.WaitLog(`fatal: open lock file \S+/master.lock: unable to set exclusive lock: Resource temporarily unavailable`)
}

// killLeftovers ends what a failed test of a daemon leaves running.
func killLeftovers(t *testing.T, i *postfixtest.Instance) {
	t.Cleanup(func() {
		for _, p := range i.Processes() {
			t.Errorf("left behind: %v", p)
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
	})
}

// stopDaemon ends a master that went to the background and gives its process ID.
func stopDaemon(t *testing.T, i *postfixtest.Instance) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.Queue, "pid/master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon and its workers to end", func() bool { return len(i.Processes()) == 0 })
	return pid
}

func TestWaitReturnsWhenTheDaemonIsReady(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	killLeftovers(t, i.Instance)
	i.SetMaster("some unix n - n - - take")
	if r := i.Run("", ourMaster(t), "-c", i.Conf, "-w"); r.Exit != 0 {
		t.Fatalf("-w: exit status %d, %s", r.Exit, r.Stderr)
	}
	i.WaitLog("daemon started -- version 3.11.4, configuration " + i.Conf)
	i.dial("public/some") // is there already
	eventually(t, "a worker", func() bool { return len(i.reports("some")) == 1 })
	worker := i.reports("some")[0]
	pid := stopDaemon(t, i.Instance)
	if worker.Group != pid {
		t.Errorf("the worker's process group is %d, want that of the daemon %d", worker.Group, pid)
	}
	for fd, got := range worker.Descriptors[:3] {
		if want := fmt.Sprintf("%d /dev/null 0x2", fd); got != want {
			t.Errorf("descriptor %q, want %q", got, want)
		}
	}
}

func TestWaitReportsFailure(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := postfixtest.New(t)
	i.SetMaster("some unxi n - n - - take")
	r := i.Run("", ourMaster(t), "-c", i.Conf, "-w")
	if r.Exit != 1 || !strings.Contains(r.Stderr, "daemon initialization failure -- see logs for details") {
		t.Errorf("exit status %d, %q", r.Exit, r.Stderr)
	}
	i.WaitLog("fatal: .*line 1: bad transport type: unxi")
}

// Whoever starts the master may wait until nobody has a certain pipe open any
// more; Debian's installation scripts do.
func TestDaemonLetsGoOfInheritedFiles(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := postfixtest.New(t)
	killLeftovers(t, i)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.Command(ourMaster(t), "-c", i.Conf, "-w")
	cmd.ExtraFiles = []*os.File{write, write, write}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := read.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the pipe is still open somewhere: %v", err)
	}
	stopDaemon(t, i)
}

func TestRefusedOptions(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := postfixtest.New(t)
	for options, want := range map[string]string{
		"-t -w":   "fatal: the -t and -w options cannot be used together",
		"-i":      "fatal: -i is allowed only for PID 1 process",
		"-x":      "unknown shorthand flag: 'x' in -x",
		"word":    "unexpected argument: word",
		"-e -1":   "negative exit time: -1",
		"-c /nix": "fatal: open /nix/main.cf: No such file or directory",
	} {
		r := i.Run("", ourMaster(t), strings.Fields(options)...)
		if r.Exit != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: exit status %d, %q; want %q", options, r.Exit, r.Stderr, want)
		}
	}
}

// Without root, the master serves the user that it runs as.
func TestOrdinaryUser(t *testing.T) {
	testenv.Require(t, testenv.Root)
	i := newInstance(t, postfixtest.User("nobody"))
	program := publicCopy(t, i.Instance, ourMaster(t))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"take", "fail", "session"} {
		link := filepath.Join(i.Daemons, name)
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(publicCopy(t, i.Instance, self), link); err != nil {
			t.Fatal(err)
		}
	}
	i.SetMaster("some unix - - n - - take", "pipe fifo - - n 3600 1 take")
	i.Start(program)
	for _, endpoint := range endpoints(t, i.Instance) {
		if !strings.HasSuffix(endpoint, fmt.Sprintf(" %d:%d", i.UID, i.GID)) {
			t.Errorf("%s does not belong to the user", endpoint)
		}
	}
	conn := i.dial("private/some")
	if _, err := conn.Write([]byte("hello\x00")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer", func() bool { return slices.Equal(i.got("some"), []string{`"hello\x00"`}) })
	eventually(t, "a wakeup", func() bool { return slices.Equal(i.got("pipe"), []string{`"W"`}) })
	i.SetMaster("other unix - - n - - take")
	i.Reload()
	// This master logs the reload by itself, before there is a socket that listens.
	eventually(t, "a socket that listens", func() bool {
		conn, err := net.Dial("unix", filepath.Join(i.Queue, "private/other"))
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return err == nil
	})
	eventually(t, "a worker", func() bool { return len(i.reports("other")) == 1 })
	i.Stop()

	// For anybody else it is not.
	if err := os.Chown(i.Data, 0, 0); err != nil {
		t.Fatal(err)
	}
	i.SetMain("mail_owner", "daemon")
	cmd := exec.Command(program, "-c", i.Conf, "-d")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(i.UID), Gid: uint32(i.GID)}}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "fatal: the master command is reserved for the superuser") {
		t.Errorf("%v, %s", err, out)
	}
}

// publicCopy copies a program to where every user can execute it.
func publicCopy(t *testing.T, i *postfixtest.Instance, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(i.Dir, "copy-"+filepath.Base(path))
	if err := os.WriteFile(target, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(target, 0o755); err != nil {
		t.Fatal(err)
	}
	return target
}

// A master in the foreground that does not lead its process group ends its
// workers, and not those who have started it.
func TestForegroundMasterSparesItsParent(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	killLeftovers(t, i.Instance)
	i.SetMaster("some unix n - n - - take")
	cmd := exec.Command(ourMaster(t), "-c", i.Conf, "-d") // in the group of this test
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i.WaitLog("daemon started")
	i.dial("public/some")
	eventually(t, "a worker", func() bool { return len(i.reports("some")) == 1 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // how it ended is in ProcessState
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the master ended by %v", cmd.ProcessState)
	}
	eventually(t, "the worker to end", func() bool { return len(i.Processes()) == 0 })
}

// As process 1 of a container, the master ends everything there and itself.
func TestProcessOne(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	killLeftovers(t, i.Instance)
	i.SetMaster("some unix n - n - - take", "writer unix n - n - - session")
	cmd := exec.Command(ourMaster(t), "-c", i.Conf, "-i")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i.WaitLog(`master\[1\]: daemon started`)
	i.dial("public/some")
	i.dial("public/writer")
	eventually(t, "workers", func() bool { return len(i.reports("some")) == 1 && len(i.reports("writer")) == 1 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit of process 1: %v", err)
	}
	eventually(t, "the workers to end", func() bool { return len(i.Processes()) == 0 })
}

func TestDebuggerCommand(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := postfixtest.New(t)
	file := filepath.Join(i.Dir, "debugged")
	i.SetMain("debugger_command", "echo $process_name $process_id $PPID > "+file)
	if r := i.Run("", ourMaster(t), "-c", i.Conf, "-D", "-e", "1"); r.Exit != 0 {
		t.Errorf("exit status %d, %s", r.Exit, r.Stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var pid int
	if n, _ := fmt.Sscan(string(text), &name, &pid); n != 2 || name != "master" {
		t.Errorf("the debugger was told %q", text)
	}
	i.WaitLog(fmt.Sprintf(`master\[%d\]: running: echo master %d`, pid, pid))
	i.WaitLog("master exit time has arrived")
}

// The postfix(1) command starts, reloads and stops our master as it does its own.
func TestPostfixCommand(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t, postfixtest.Daemon("master", ourMaster(t)))
	killLeftovers(t, i.Instance)
	i.SetMaster("some unix n - n - - take")
	// postfix(1) looks here for what it has to check; that is not our subject.
	i.WriteFile(filepath.Join(i.Conf, "postfix-files"), "")
	postfix := func(command string, want int) {
		t.Helper()
		if r := i.Run("", postfixtest.PostfixCommand("postfix"), "-c", i.Conf, command); r.Exit != want {
			t.Fatalf("postfix %s: exit status %d, want %d\n%s%s", command, r.Exit, want, r.Stdout, r.Stderr)
		}
	}
	postfix("status", 1)
	postfix("start", 0)
	postfix("status", 0)
	i.dial("public/some")
	eventually(t, "a worker", func() bool { return len(i.reports("some")) == 1 })
	i.SetMaster("some unix n - n - - take", "new unix n - n - - take")
	postfix("reload", 0)
	i.WaitLog("reload -- version 3.11.4")
	i.dial("public/new")
	eventually(t, "a worker of the new service", func() bool { return len(i.reports("new")) == 1 })
	postfix("stop", 0)
	postfix("status", 1)
	eventually(t, "everything to end", func() bool { return len(i.Processes()) == 0 })
}
