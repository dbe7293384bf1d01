package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// needNothing is no need that any machine meets.
const needNothing = Need(-1)

// TestRequire runs TestRequireHelper in a process of its own and looks at how it ends.
func TestRequire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ requireAll, want string }{
		{"", "--- SKIP: TestRequireHelper"},
		{"1", "--- FAIL: TestRequireHelper"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRequireHelper$", "-test.v")
		cmd.Env = append(os.Environ(), "TESTENV_HELPER=1", RequireAllVar+"="+c.requireAll)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), c.want) || !strings.Contains(string(out), "unknown need -1") {
			t.Errorf("%s=%s: want %s, got %v\n%s", RequireAllVar, c.requireAll, c.want, err, out)
		}
		if strings.Contains(string(out), "went on") {
			t.Errorf("%s=%s: the test went on", RequireAllVar, c.requireAll)
		}
	}
}

func TestRequireHelper(t *testing.T) {
	if os.Getenv("TESTENV_HELPER") == "" {
		return // only a part of TestRequire
	}
	Require(t, needNothing)
	t.Log("went on")
}

func TestMissingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for need, n := range needs {
		err := Missing(need)
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), n.what) || !strings.Contains(err.Error(), n.install) {
			t.Errorf("need %d: %v", need, err)
		}
	}
}

func TestBinBuildsCommands(t *testing.T) {
	t.Parallel()
	path := filepath.Join(Bin(t, "postconf"), "postconf")
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s: %v", path, err)
	}
	if again := filepath.Join(Bin(t, "postconf"), "postconf"); again != path {
		t.Errorf("%s, then %s", path, again)
	}
}
