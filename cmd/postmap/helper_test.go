package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// place is a directory with tables and a configuration for both postmaps.
type place struct {
	*testing.T
	dir  string // tables
	conf string // main.cf
	cred *syscall.Credential
}

// ran is how a command ended.
type ran struct {
	stdout, stderr string
	exit           int
}

// environ is the environment for a command. One that was built with the race
// detector would sleep for a second before it ends.
func environ(conf string) []string {
	return append(os.Environ(), "GORACE=atexit_sleep_ms=0", "MAIL_CONFIG="+conf)
}

// newPlace makes an empty directory, and a main.cf with the given settings.
func newPlace(t *testing.T, settings ...string) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{T: t, dir: filepath.Join(dir, "t"), conf: filepath.Join(dir, "etc")}
	for _, d := range []string{p.dir, p.conf} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	main := append([]string{"compatibility_level = 3.6", "queue_directory = " + dir, "data_directory = " + dir + "/data"}, settings...)
	p.writeTo(filepath.Join(p.conf, "main.cf"), strings.Join(main, "\n")+"\n")
	return p
}

// write makes a file that is 100 seconds old among the tables and returns its path.
func (p *place) write(name, content string) string {
	p.Helper()
	return p.writeTo(filepath.Join(p.dir, name), content)
}

func (p *place) writeTo(path, content string) string {
	p.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.Fatal(err)
	}
	old := time.Now().Add(-100 * time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		p.Fatal(err)
	}
	return path
}

func (p *place) read(name string) []byte {
	p.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.Fatal(err)
	}
	return content
}

// ours runs our postmap.
func (p *place) ours(stdin string, args ...string) ran {
	p.Helper()
	return p.run(filepath.Join(testenv.Bin(p.T, "postmap"), "postmap"), stdin, args...)
}

// theirs runs Postfix's postmap.
func (p *place) theirs(stdin string, args ...string) ran {
	p.Helper()
	return p.run(postfixtest.PostfixCommand("postmap"), stdin, args...)
}

func (p *place) run(path, stdin string, args ...string) ran {
	p.Helper()
	var stdout, stderr bytes.Buffer
	cmd := p.command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil && (cmd.ProcessState == nil || !cmd.ProcessState.Exited()) {
		p.Errorf("%s %q: %v", path, args, err)
		return ran{exit: -1}
	}
	// getopt(3) names the program as it was called.
	return ran{stdout.String(), strings.ReplaceAll(stderr.String(), path+":", "postmap:"), cmd.ProcessState.ExitCode()}
}

func (p *place) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = p.dir, environ(p.conf)
	if p.cred != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	}
	return cmd
}

// succeed runs our postmap and returns what it printed.
func (p *place) succeed(stdin string, args ...string) string {
	p.Helper()
	r := p.ours(stdin, args...)
	if r.exit != 0 || r.stderr != "" {
		p.Errorf("postmap %q: %+v", args, r)
	}
	return r.stdout
}
