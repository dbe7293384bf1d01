package testenv

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// PostfixDaemonDir returns the directory that holds Postfix's master and the other daemons, or "" when there is none.
func PostfixDaemonDir() string {
	for _, dir := range []string{"/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/lib/postfix"} {
		if _, err := exec.LookPath(filepath.Join(dir, "master")); err == nil {
			return dir
		}
	}
	return ""
}

// PostfixShlibDir returns the directory that holds Postfix's loadable map types (postfix-cdb.so and so on).
func PostfixShlibDir() string {
	return "/usr/lib/postfix"
}

// PostgreSQLDir returns the directory that holds initdb and postgres; of several versions the newest.
func PostgreSQLDir() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		path, err := LookProgram("initdb")
		if err != nil {
			return "", errors.New("no program initdb")
		}
		return filepath.Dir(path), nil
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// PostfixEnv returns an environment in which Postfix's commands use a minimal private configuration: a machine whose
// Postfix has not been set up has no main.cf, and a set-up one may have settings that change what a command prints.
func PostfixEnv(t testing.TB) []string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "main.cf")
	if err := os.WriteFile(path, []byte("compatibility_level = 3.6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The commands wait while a configuration file is younger than two seconds.
	then := time.Now().Add(-100 * time.Second)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "MAIL_CONFIG="+dir)
}
