package test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postfixtest.RemoveTemplates()
	os.Exit(code)
}

// maker says whose program a test uses.
type maker string

const (
	ours   maker = "ours"
	theirs maker = "postfix"
)

var makers = []maker{ours, theirs}

// master returns the path of this maker's master.
func (m maker) master(t *testing.T) string {
	if m == theirs {
		return postfixtest.PostfixMaster()
	}
	return filepath.Join(testenv.Bin(t, "master"), "master")
}

// worker returns the option that makes proxymap and proxywrite services run this maker's worker.
func (m maker) worker(t *testing.T) postfixtest.Option {
	if m == theirs {
		return func(*postfixtest.Instance) {}
	}
	return postfixtest.Daemon("proxymap", filepath.Join(testenv.Bin(t, "proxymap"), "proxymap"))
}

// postmap returns the path of this maker's postmap.
func (m maker) postmap(t *testing.T) string {
	if m == theirs {
		return postfixtest.PostfixCommand("postmap")
	}
	return filepath.Join(testenv.Bin(t, "postmap"), "postmap")
}

// noTrouble fails the test when the log has a warning or worse that none of the allowed texts explains.
func noTrouble(t *testing.T, pf *postfixtest.Instance, allowed ...string) {
	t.Helper()
	for _, line := range pf.Trouble() {
		if !containsAny(line, allowed) {
			t.Errorf("unexpected log line: %s", line)
		}
	}
}

// checkPrograms makes sure that the test ran with the programs that it is about.
func checkPrograms(t *testing.T, pf *postfixtest.Instance, master, worker maker) {
	t.Helper()
	checkExecutable(t, pf.MasterPID(), master.master(t))
	want := filepath.Join(testenv.PostfixDaemonDir(), "proxymap")
	if worker == ours {
		want = filepath.Join(testenv.Bin(t, "proxymap"), "proxymap")
	}
	workers := append(pf.Workers("proxymap", "proxymap"), pf.Workers("proxymap", "proxywrite")...)
	if len(workers) == 0 {
		t.Errorf("no worker among %v", pf.Processes())
	}
	for _, w := range workers {
		checkExecutable(t, w.PID, want)
	}
}

func checkExecutable(t *testing.T, pid int, want string) {
	t.Helper()
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil {
		t.Error(err)
		return
	}
	want, err = filepath.EvalSymlinks(want)
	if err != nil {
		t.Error(err)
	}
	if exe != want {
		t.Errorf("process %d runs %s, want %s", pid, exe, want)
	}
}
