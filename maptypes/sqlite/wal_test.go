package sqlite_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/sqlite"
)

// asNobody names the variable that tells this test binary to look up a key in
// the table that it names, and to print the outcome.
const asNobody = "PROXYMAPD_TEST_SQLITE_TABLE"

func TestMain(m *testing.M) {
	spec := os.Getenv(asNobody)
	if spec == "" {
		os.Exit(m.Run())
	}
	logf := func(string, ...any) {}
	env := &maptypes.Env{Registry: maptypes.NewRegistry(sqlite.Driver), Infof: logf, Warnf: logf, Errorf: logf}
	h, err := env.Registry.Open(env, spec, maptypes.ReadOnly, flags)
	if err == nil {
		var value string
		if value, err = get(h, "a"); err == nil {
			fmt.Print(value)
			return
		}
	}
	fmt.Print("error: ", err)
}

// TestWALFiles reads a database in WAL mode as a user who cannot write to it.
func TestWALFiles(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root)
	b := newBench(t)
	spec := b.table("t", byKey)
	lookup := func(want string) {
		t.Helper()
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{asNobody + "=" + spec}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("lookup: %s %v, want %q", out, err, want)
		}
	}
	if err := os.Chmod(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lookup("x")
	b.sql("PRAGMA journal_mode = WAL")
	lookup("error: dict_sqlite_lookup: " + strings.TrimPrefix(spec, "sqlite:") + ": SQL prepare failed: attempt to write a readonly database (in WAL mode")
	other := b.session()
	other.run("UPDATE t SET v = 'y' WHERE k = 'a';")
	lookup("y")
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Chmod(b.file+suffix, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup("unable to open database file: Permission denied (in WAL mode")
}
