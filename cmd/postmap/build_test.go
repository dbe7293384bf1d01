package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// builtTypes are the map types that this build can make.
var builtTypes = sync.OnceValue(func() []string {
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
	for _, typ := range env.Registry.Types() {
		if typ == "fail" { // it makes nothing
			continue
		}
		if b, err := env.Registry.Create(env, typ+":"+filepath.Join(dir, typ), 0); err == nil {
			b.Abort()
			types = append(types, typ)
		}
	}
	return types
})

// TestBuiltTypes: these are never left out, whatever the build.
func TestBuiltTypes(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"bolt", "cdb"} {
		if !slices.Contains(builtTypes(), typ) {
			t.Errorf("no %s among %q", typ, builtTypes())
		}
	}
}

// TestBuildAndQuery makes a table of each type, replaces it, and asks it.
func TestBuildAndQuery(t *testing.T) {
	t.Parallel()
	for _, typ := range builtTypes() {
		p := newPlace(t)
		p.write("t", "a 1\nB 2\n")
		p.succeed("", typ+":t")
		p.write("t", "b 3\nc 4\n")
		p.succeed("", typ+":t")
		if got := p.succeed("a\nB\nc\n", "-q", "-", typ+":t"); got != "B\t3\nc\t4\n" {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

// interruptedBuild starts to build a table from a pipe, and calls act when a part
// of the source has been read.
func interruptedBuild(t *testing.T, typ string, command []string, act func(p *place, cmd *exec.Cmd, source io.Writer)) (*place, *exec.Cmd) {
	t.Helper()
	p := newPlace(t)
	p.write("t", "old value\n")
	p.succeed("", typ+":t")
	fifo := filepath.Join(p.dir, "t")
	if err := os.Remove(fifo); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	command = append(command, filepath.Join(testenv.Bin(t, "postmap"), "postmap"), typ+":t")
	cmd := p.command(command[0], command[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	source, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	// A pipe holds less than this: most of it has been read when the write
	// returns.
	if _, err := io.WriteString(source, strings.Repeat("# padding\n", 20000)+"new value\n"); err != nil {
		t.Fatal(err)
	}
	act(p, cmd, source)
	return p, cmd
}

// TestInterrupt sends signals to a build. The old table stays, the program ends by
// the signal, and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, typ := range builtTypes() {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			t.Run(typ+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				p, cmd := interruptedBuild(t, typ, nil, func(_ *place, cmd *exec.Cmd, _ io.Writer) {
					if err := cmd.Process.Signal(sig); err != nil {
						t.Fatal(err)
					}
					cmd.Wait()
				})
				status := cmd.ProcessState.Sys().(syscall.WaitStatus)
				if sig == syscall.SIGQUIT && status.ExitStatus() == 128+int(sig) {
					status = syscall.WaitStatus(sig) // as close as the runtime lets us come
				}
				if !status.Signaled() || status.Signal() != sig {
					t.Errorf("ended with %v", cmd.ProcessState)
				}
				if got := p.succeed("old\nnew\n", "-q", "-", typ+":t"); got != "old\tvalue\n" {
					t.Errorf("the old table answers %q", got)
				}
				if left := listing(t, p.dir); len(left) != 2 {
					t.Errorf("files: %v", left)
				}
			})
		}
	}
}

// TestHangupIgnored: under nohup(1) a build goes on.
func TestHangupIgnored(t *testing.T) {
	t.Parallel()
	nohup := []string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}
	p, cmd := interruptedBuild(t, "cdb", nohup, func(_ *place, cmd *exec.Cmd, source io.Writer) {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		io.WriteString(source, "newer value\n")
	})
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := p.succeed("old\nnewer\n", "-q", "-", "cdb:t"); got != "newer\tvalue\n" {
		t.Errorf("the new table answers %q", got)
	}
}

// TestSourceErrors: when the source cannot be read to its end the old table stays.
func TestSourceErrors(t *testing.T) {
	t.Parallel()
	for _, typ := range builtTypes() {
		p := newPlace(t)
		p.write("t", "old value\n")
		p.succeed("", typ+":t")
		p.write("t", "new value\nlong "+strings.Repeat("x", 17<<20)+"\n")
		r := p.ours("", typ+":t")
		if r.exit != 1 || !strings.Contains(r.stderr, "fatal: t, line 2: line too long") {
			t.Errorf("%s: %+v", typ, r)
		}
		if got := p.ours("old\nnew\n", "-q", "-", typ+":t"); got.stdout != "old\tvalue\n" {
			t.Errorf("%s: %+v", typ, got)
		}
		if left := listing(t, p.dir); len(left) != 2 {
			t.Errorf("files: %v", left)
		}
	}
}

// owned is who may do what with a file.
type owned struct {
	uid, gid uint32
	mode     os.FileMode
}

func statOwned(p *place, name string) owned {
	p.Helper()
	info, err := os.Stat(filepath.Join(p.dir, name))
	if err != nil {
		p.Error(err)
		return owned{}
	}
	st := info.Sys().(*syscall.Stat_t)
	return owned{st.Uid, st.Gid, info.Mode()}
}

// TestOwner: the table belongs to the owner of the source file, as Postfix's does.
func TestOwner(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	t.Parallel()
	const uid, gid = 65534, 65533
	sources := map[string]owned{"a": {uid, gid, 0o640}, "b": {0, 0, 0o604}, "c": {uid, gid, 0o600}}
	for _, args := range [][]string{{}, {"-o"}, {"-p"}, {"-op"}} {
		ours, theirs := newPlace(t), newPlace(t)
		for _, typ := range postfixTypes() {
			for name := range sources {
				args = append(args, typ+":"+name+"-"+typ)
			}
		}
		for _, p := range []*place{ours, theirs} {
			if err := os.Chmod(p.dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, operand := range args {
				if _, name, ok := strings.Cut(operand, ":"); ok {
					makeSource(p, name, sources[name[:1]])
				}
			}
		}
		if got, want := ours.ours("", args...), theirs.theirs("", args...); got != want || got.exit != 0 {
			t.Errorf("postmap %q: %+v, want %+v", args, got, want)
		}
		for _, operand := range args {
			_, name, ok := strings.Cut(operand, ":")
			if !ok {
				continue
			}
			name = filepath.Base(indexOf(ours, filepath.Join(ours.dir, name)))
			if got, want := statOwned(ours, name), statOwned(theirs, name); got != want {
				t.Errorf("postmap %q: %s is %v, want %v", args, name, got, want)
			}
		}
	}
}

func makeSource(p *place, name string, who owned) {
	p.Helper()
	path := p.write(name, "key value\n")
	if err := os.Chown(path, int(who.uid), int(who.gid)); err != nil {
		p.Fatal(err)
	}
	if err := os.Chmod(path, who.mode); err != nil {
		p.Fatal(err)
	}
}

// TestKeepOwner rebuilds a table that was given to somebody else meanwhile.
func TestKeepOwner(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	t.Parallel()
	for _, typ := range postfixTypes() {
		ours, theirs := newPlace(t), newPlace(t)
		for _, p := range []*place{ours, theirs} {
			source := p.write("t", "old value\n")
			p.theirs("", typ+":t")
			index := indexOf(p, source)
			if err := os.Chown(index, 65534, 65533); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(index, 0o600); err != nil {
				t.Fatal(err)
			}
			p.write("t", "new value\n")
		}
		got, want := ours.ours("", typ+":t"), theirs.theirs("", typ+":t")
		if got != want || got.exit != 0 {
			t.Errorf("%s: %+v, want %+v", typ, got, want)
		}
		name := filepath.Base(indexOf(ours, filepath.Join(ours.dir, "t")))
		if a, b := statOwned(ours, name), statOwned(theirs, name); a != b {
			t.Errorf("%s: %v, want %v", typ, a, b)
		}
	}
}

// indexOf returns the one file that was made from a source.
func indexOf(p *place, source string) string {
	p.Helper()
	found, err := filepath.Glob(source + ".*")
	if err != nil || len(found) != 1 {
		p.Fatalf("index files of %s: %q, %v", source, found, err)
	}
	return found[0]
}

// TestOrdinaryUser builds and updates tables without privileges.
func TestOrdinaryUser(t *testing.T) {
	testenv.Require(t, testenv.Root)
	t.Parallel()
	for _, typ := range builtTypes() {
		p := newPlace(t)
		p.write("t", "a 1\n")
		if err := os.Chown(p.dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		p.cred = &syscall.Credential{Uid: 65534, Gid: 65534}
		p.succeed("", typ+":t")
		if got := p.succeed("", "-q", "a", typ+":t"); got != "1\n" {
			t.Errorf("%s: %q", typ, got)
		}
		if typ != "cdb" {
			p.succeed("b 2\n", "-i", typ+":t")
			p.succeed("", "-d", "a", typ+":t")
			if got := p.succeed("", "-s", typ+":t"); got != "b\t2\n" {
				t.Errorf("%s: %q", typ, got)
			}
		}
		if err := os.Chown(p.dir, 0, 0); err != nil {
			t.Fatal(err)
		}
		if r := p.ours("", typ+":t"); r.exit != 1 || !strings.Contains(r.stderr, "Permission denied") {
			t.Errorf("%s: %+v", typ, r)
		}
	}
}

// TestLongOptions: each long name does what its letter does.
func TestLongOptions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("t", "A 1\na 2\n")
	p.succeed("", "--no-fold", "--no-null", "bolt:t")
	if got := p.succeed("", "--list", "bolt:t"); got != "A\t1\na\t2\n" {
		t.Errorf("--list: %q", got)
	}
	p.succeed("b 3\n", "--incremental", "--replace", "bolt:t")
	p.succeed("", "--delete=a", "bolt:t")
	p.succeed("", "--config-dir", p.conf, "--delete", "A", "--no-fold", "bolt:t")
	if got := p.succeed("", "--json", "--query", "b", "bolt:t"); got != "{\"b\": \"3\"}\n" {
		t.Errorf("--json --query: %q", got)
	}
	if got := p.succeed("Subject: x\n\nbody\n", "--header-keys", "--query=-", "static:y"); got != "Subject: x\ty\n" {
		t.Errorf("--header-keys: %q", got)
	}
	for want, args := range map[string][]string{
		"postmap: option '--query' requires an argument\n":          {"--query"},
		"postmap: option '--list' doesn't allow an argument\n":      {"--list=x", "static:x"},
		"postmap: invalid option -- '-'\n":                          {"--no-such-option", "static:x"},
		"postmap: fatal: specify only one of -d -i -q or -s\n":      {"--query", "x", "--list", "static:x"},
		"postmap: fatal: option -j requires -q or -s\n":             {"--json", "static:x"},
		"postmap: fatal: can't create maps via the proxy service\n": {"proxy:cdb:t"},
	} {
		if r := p.ours("", args...); r.exit != 1 || !strings.HasPrefix(r.stderr, want) {
			t.Errorf("postmap %q: %+v, want %q", args, r, want)
		}
	}
}

// TestJSON prints keys and values that need quoting.
func TestJSON(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "smtputf8_enable = no")
	p.write("t", "\"a\\b\" x\by\x01z \x7f\"\\/\tt é\n")
	key, value := `"a\b"`, "x\by\x01z \x7f\"\\/\tt é"
	for _, args := range [][]string{{"-q", key}, {"-q", "-"}, {"-s"}} {
		got := p.succeed(key+"\n", append(args, "-j", "texthash:t")...)
		if want := `{"\"a\\b\"": "x\by\u0001z \u007F\"\\/\tt é"}` + "\n"; got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
		var parsed map[string]string
		if err := json.Unmarshal([]byte(got), &parsed); err != nil || parsed[key] != value {
			t.Errorf("%q: %q, %v", got, parsed, err)
		}
	}
}

// TestOutputErrors: what cannot be printed is no success.
func TestOutputErrors(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var stderr bytes.Buffer
	cmd := p.command(filepath.Join(testenv.Bin(t, "postmap"), "postmap"), "-q", "x", "static:y")
	cmd.Stdout, cmd.Stderr = full, &stderr
	cmd.Run()
	if cmd.ProcessState.ExitCode() != 1 || stderr.String() != "postmap: fatal: write to standard output: No space left on device\n" {
		t.Errorf("%v, %q", cmd.ProcessState, stderr.String())
	}
}

// TestLeftOutType says what to do about a type that this build lacks.
func TestLeftOutType(t *testing.T) {
	t.Parallel()
	for _, d := range all.Drivers() {
		if d.LeftOut == "" {
			continue
		}
		p := newPlace(t)
		p.write("t", "a 1\n")
		for _, args := range [][]string{{d.Type + ":t"}, {"-q", "a", d.Type + ":t"}} {
			if r := p.ours("", args...); r.exit != 1 || !strings.Contains(r.stderr, "type: "+d.Type+": "+d.LeftOut) {
				t.Errorf("postmap %q: %+v", args, r)
			}
		}
	}
}
