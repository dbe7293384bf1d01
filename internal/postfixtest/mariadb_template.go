package postfixtest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// template is a data directory as mariadb-install-db makes it, made once per test binary. It takes seconds to make and
// a moment to copy. TestMain removes it by RemoveTemplates.
var template struct {
	sync.Mutex
	dir string
}

// RemoveTemplates removes what the servers of a test binary have shared. A package that uses StartMariaDB calls it in
// TestMain after the tests:
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		postfixtest.RemoveTemplates()
//		os.Exit(code)
//	}
func RemoveTemplates() {
	template.Lock()
	defer template.Unlock()
	if template.dir != "" {
		os.RemoveAll(template.dir)
	}
	template.dir = ""
}

// copyTemplate gives the server its data directory.
func (m *MariaDB) copyTemplate() {
	m.t.Helper()
	source := templateDir(m.t)
	target := filepath.Join(m.Dir, "data")
	_, uid, gid := account(m.t)
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return copyOne(path, target+path[len(source):], d, uid, gid)
	})
	if err == nil {
		err = os.Chown(m.Dir, uid, gid)
	}
	if err == nil {
		err = os.Chmod(m.Dir, 0o755) // clients of every user reach the socket
	}
	if err != nil {
		m.t.Fatalf("make the database directory: %v", err)
	}
}

func copyOne(source, target string, d fs.DirEntry, uid, gid int) error {
	if d.IsDir() {
		if err := os.Mkdir(target, 0o700); err != nil {
			return err
		}
		return os.Chown(target, uid, gid)
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(target, content, 0o600); err != nil {
		return err
	}
	return os.Chown(target, uid, gid)
}

func templateDir(t testing.TB) string {
	t.Helper()
	template.Lock()
	defer template.Unlock()
	if template.dir != "" {
		return template.dir
	}
	dir, err := installTemplate(t)
	if err != nil {
		t.Fatal(err)
	}
	template.dir = dir
	return dir
}

func installTemplate(t testing.TB) (string, error) {
	t.Helper()
	install, err := testenv.LookProgram("mariadb-install-db")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "pmdb")
	if err != nil {
		return "", err
	}
	name, uid, gid := account(t)
	if err := os.Chown(dir, uid, gid); err != nil {
		return "", err
	}
	args := append([]string{
		"--no-defaults", "--user=" + name, "--datadir=" + dir, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve",
	}, smallFiles...)
	if out, err := exec.Command(install, args...).CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	return dir, nil
}
