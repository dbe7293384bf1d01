package check_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// site is a configuration with its tables, in a directory of its own that everybody can search.
type site struct {
	*testing.T
	dir    string
	want   []string // the lines that are not about a table in order, without the sum
	never  []string // texts that must not be printed
	status int
}

// newSite makes the site that a file describes (testdata/check/README.md).
func newSite(t *testing.T, path string, status int) *site {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.Postfix)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, dir: dir, status: status}
	_, text, ok := strings.Cut("\n"+strings.ReplaceAll(string(content), "@DIR@", dir), "\n### ")
	if !ok {
		t.Fatalf("%s: no sections", path)
	}
	for _, section := range strings.Split(text, "\n### ") {
		head, body, _ := strings.Cut(section, "\n")
		kind, arg, _ := strings.Cut(head, ":")
		s.section(kind, strings.TrimSpace(arg), body+"\n")
	}
	return s
}

func (s *site) section(kind, arg, body string) {
	words := strings.Fields(arg)
	switch kind {
	case "file":
		s.write(arg, body)
	case "build":
		if out, status := s.postmap(arg); status != 0 {
			s.Fatalf("postmap %s: %d %s", arg, status, out)
		}
	case "older":
		past := time.Now().Add(-time.Hour)
		s.must(os.Chtimes(s.path(arg), past, past))
	case "mode":
		mode, err := strconv.ParseUint(words[0], 8, 32)
		s.must(err)
		s.must(os.Chmod(s.path(words[1]), os.FileMode(mode)))
	case "owner":
		u, err := user.Lookup(words[0])
		s.must(err)
		uid, err := strconv.Atoi(u.Uid)
		s.must(err)
		s.must(os.Chown(s.path(words[1]), uid, -1))
	case "want":
		s.want = strings.Split(strings.TrimSpace(body), "\n")
	case "never":
		s.never = append(s.never, arg)
	case "status":
		status, err := strconv.Atoi(arg)
		s.must(err)
		s.status = status
	default:
		s.Fatalf("unknown section %q", kind)
	}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write makes a file that everybody can read.
func (s *site) write(name, text string) {
	s.Helper()
	path := s.path(name)
	s.must(os.MkdirAll(filepath.Dir(path), 0o755))
	s.must(os.WriteFile(path, []byte(strings.TrimSuffix(text, "\n")), 0o644))
}

// postmap runs our program with the site's main.cf.
func (s *site) postmap(args ...string) (output string, status int) {
	s.Helper()
	if _, err := os.Stat(s.path("main.cf")); err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(testenv.Bin(s.T, "postmap"), "postmap"), append([]string{"-c", s.dir}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// check runs postmap --check and returns the lines that are not good news, and the last one.
func (s *site) check(args ...string) (lines []string, sum string) {
	s.Helper()
	out, status := s.postmap(append([]string{"--check"}, args...)...)
	if status != s.status {
		s.Errorf("exit status %d, want %d", status, s.status)
	}
	for _, secret := range s.never {
		if strings.Contains(out, secret) {
			s.Errorf("the output has %q in it:\n%s", secret, out)
		}
	}
	all := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range all[:len(all)-1] {
		if !strings.Contains(line, ": ok") {
			lines = append(lines, line)
		}
	}
	return lines, all[len(all)-1]
}
