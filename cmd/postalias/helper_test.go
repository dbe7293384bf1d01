package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// place is a directory with tables, below which there is a configuration.
type place struct {
	*testing.T
	dir string
}

// ran is how a command ended.
type ran struct {
	stdout, stderr string
	exit           int
}

// newPlace makes an empty directory, and a main.cf with the given settings.
func newPlace(t *testing.T, settings ...string) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{T: t, dir: dir}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.configure(settings...)
	return p
}

// configure writes a main.cf with the given settings.
func (p *place) configure(settings ...string) {
	p.Helper()
	main := append([]string{"compatibility_level = 3.6", "myhostname = mail.example.com", "queue_directory = " + p.dir}, settings...)
	p.write("etc/main.cf", strings.Join(main, "\n")+"\n")
}

// write makes a file that is 100 seconds old.
func (p *place) write(name, content string) {
	p.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		p.Fatal(err)
	}
	old := time.Now().Add(-100 * time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		p.Fatal(err)
	}
}

func (p *place) read(name string) []byte {
	p.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.Fatal(err)
	}
	return content
}

// files lists what was made beside the configuration.
func (p *place) files() []string {
	p.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// ours runs our postalias.
func (p *place) ours(stdin string, args ...string) ran {
	p.Helper()
	return p.run(filepath.Join(testenv.Bin(p.T, "postalias"), "postalias"), stdin, args...)
}

// theirs runs a command of Postfix.
func (p *place) theirs(stdin, command string, args ...string) ran {
	p.Helper()
	return p.run(postfixtest.PostfixCommand(command), stdin, args...)
}

func (p *place) run(path, stdin string, args ...string) ran {
	p.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	// With the race detector a command sleeps for a second before it ends.
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "GORACE=atexit_sleep_ms=0", "MAIL_CONFIG="+filepath.Join(p.dir, "etc"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil && (cmd.ProcessState == nil || !cmd.ProcessState.Exited()) {
		p.Errorf("%s %q: %v", path, args, err)
		return ran{exit: -1}
	}
	// getopt(3) names the program as it was called.
	messages := strings.ReplaceAll(stderr.String(), path+":", filepath.Base(path)+":")
	return ran{stdout.String(), messages, cmd.ProcessState.ExitCode()}
}

// succeed runs our postalias and returns what it printed.
func (p *place) succeed(stdin string, args ...string) string {
	p.Helper()
	r := p.ours(stdin, args...)
	if r.exit != 0 || r.stderr != "" {
		p.Errorf("postalias %q: %+v", args, r)
	}
	return r.stdout
}

// postfixTypes are the types that this build and Postfix can make.
var postfixTypes = sync.OnceValue(func() []string {
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		return nil
	}
	defer os.RemoveAll(dir)
	env := &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    func(string, ...any) {}, Warnf: func(string, ...any) {}, Errorf: func(string, ...any) {},
	}
	var types []string
	for _, typ := range []string{"btree", "cdb", "hash", "lmdb"} {
		if b, err := env.Registry.Create(env, typ+":"+filepath.Join(dir, typ), 0); err == nil {
			b.Abort()
			types = append(types, typ)
		}
	}
	return types
})

func pick(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }
