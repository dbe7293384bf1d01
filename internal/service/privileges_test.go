package service

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

func TestChrootAndUser(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	m := newFakeMaster(t, 1, "")
	w := m.spawn("-c", "-u", "-vv")
	answeredBy(t, m.dial(0), "pid", w)

	uid, gid, groups := id(t, "-u"), id(t, "-g"), id(t, "-G")
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", w.cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", w.cmd.Process.Pid, thread.Name()))
		if err != nil {
			continue // the thread has just ended
		}
		want := map[string]string{"Uid": strings.Repeat(uid+" ", 4), "Gid": strings.Repeat(gid+" ", 4), "Groups": groups + " ",
			"Umask": "0077 ", "CapEff": "0000000000000000 ", "CapPrm": "0000000000000000 "}
		for name, value := range want {
			line := regexp.MustCompile(`(?m)^` + name + `:(.*)$`).FindStringSubmatch(string(status))
			if line == nil || !slices.Equal(sorted(line[1]), sorted(value)) {
				t.Errorf("thread %s: %s is %q, want %q", thread.Name(), name, line, value)
			}
		}
	}
	for _, link := range []string{"root", "cwd"} {
		if got, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", w.cmd.Process.Pid, link)); err != nil || got != m.dir {
			t.Errorf("%s is %s (%v), want %s", link, got, err, m.dir)
		}
	}
	if want := "chroot " + m.dir + " user postfix"; !strings.Contains(w.dump(), want) {
		t.Errorf("%q is not in the output:\n%s", want, &w.output)
	}
}

// id asks the system, not Go, who the mail owner is.
func id(t *testing.T, option string) string {
	t.Helper()
	out, err := exec.Command("id", option, "postfix").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func sorted(list string) []string {
	return slices.Sorted(slices.Values(strings.Fields(list)))
}

func TestPlainWorkerKeepsRoot(t *testing.T) {
	testenv.Require(t, testenv.Root)
	m := newFakeMaster(t, 1, "")
	w := m.spawn()
	answeredBy(t, m.dial(0), "pid", w)
	if got, err := os.Readlink(fmt.Sprintf("/proc/%d/root", w.cmd.Process.Pid)); err != nil || got != "/" {
		t.Errorf("root is %s, %v", got, err)
	}
	if got, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", w.cmd.Process.Pid)); err != nil || got != m.dir {
		t.Errorf("working directory is %s, %v", got, err)
	}
}
