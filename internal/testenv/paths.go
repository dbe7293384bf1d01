package testenv

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
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
