package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// BinVar is the environment variable that names a directory with commands that are built already; Bin then builds
// nothing.
const BinVar = "PROXYMAPD_BIN"

const binPrefix = "proxymapd-bin-"

var built struct {
	sync.Mutex
	dir  string
	done map[string]error // by command name
}

// Bin builds our commands (master, proxymap, postmap ...; all of cmd/ when none is named) and returns the directory
// that holds them. All test binaries of one `go test` run share the directory. The environment decides how they are
// built: CGO_ENABLED and GOFLAGS (for example -race) apply.
func Bin(t testing.TB, names ...string) string {
	t.Helper()
	if dir := os.Getenv(BinVar); dir != "" {
		return dir
	}
	built.Lock()
	defer built.Unlock()
	if len(names) == 0 {
		names = commands(t)
	}
	for _, name := range names {
		if err := build(name); err != nil {
			t.Fatal(err)
		}
	}
	return built.dir
}

// commands lists the directories of cmd/.
func commands(t testing.TB) []string {
	t.Helper()
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

func build(name string) error {
	if err, ok := built.done[name]; ok {
		return err
	}
	if built.done == nil {
		built.done = map[string]error{}
	}
	err := goBuild(name)
	built.done[name] = err
	return err
}

// goBuild runs `go build`, which does nothing when the file is up to date. The lock keeps test binaries that run at the
// same time from linking the same command twice.
func goBuild(name string) error {
	root, err := ModuleRoot()
	if err != nil {
		return err
	}
	if built.dir == "" {
		removeStale()
		built.dir = binDir()
		if err := os.MkdirAll(built.dir, 0o755); err != nil {
			return err
		}
	}
	lock, err := os.OpenFile(filepath.Join(built.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, name), "./cmd/"+name)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build cmd/%s: %w\n%s", name, err, out)
	}
	return nil
}

// binDir names the directory after the parent process, which is the same `go test` for all test binaries of a run. It
// is readable by the users that the tests start servers as.
func binDir() string {
	return filepath.Join(os.TempDir(), binPrefix+strconv.Itoa(os.Geteuid())+"-"+strconv.Itoa(os.Getppid()))
}

// removeStale removes the directories of runs that are over.
func removeStale() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), binPrefix+strconv.Itoa(os.Geteuid())+"-*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		pid, err := strconv.Atoi(dir[strings.LastIndexByte(dir, '-')+1:])
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			os.RemoveAll(dir)
		}
	}
}

// ModuleRoot returns the directory of go.mod, searched upwards from the working directory; `go test` runs a test in the
// directory of its package.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
