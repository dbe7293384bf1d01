package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestEditsAtTheSameTime runs many edits at once, ours and Postfix's. Each adds a parameter, and none may be lost.
func TestEditsAtTheSameTime(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postfix, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, dir, "main.cf", "# comment\n")
	const each = 40
	var wait sync.WaitGroup
	for i := range each {
		wait.Go(func() { mustEdit(t, dir, fmt.Sprintf("ours%d=x", i)) })
		wait.Go(func() {
			if r := runPostfix(t, postfix, []string{"-c", dir, fmt.Sprintf("theirs%d=x", i)}); r.Exit != 0 {
				t.Errorf("Postfix: %s", r.Stderr)
			}
		})
	}
	wait.Wait()
	text := readText(t, dir, "main.cf")
	if lines := strings.Count(text, "\n"); lines != 1+2*each || !strings.HasPrefix(text, "# comment\n") {
		t.Errorf("%d lines, want %d:\n%s", lines, 1+2*each, text)
	}
	onlyFile(t, dir, "main.cf")
}

// mustEdit runs an edit that has to succeed without a word.
func mustEdit(t *testing.T, dir string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if exit := run(append([]string{"-c", dir}, args...), &stdout, &stderr); exit != 0 || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("postconf %q: exit %d, %s%s", args, exit, stdout.String(), stderr.String())
	}
}

// onlyFile checks that the directory has no other file.
func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestEditKeepsModeAndOwner(t *testing.T) {
	testenv.Require(t, testenv.Root)
	dir := t.TempDir()
	writeFile(t, dir, "main.cf", "u1 = 1\n")
	path := filepath.Join(dir, "main.cf")
	if err := os.Chown(path, 12, 34); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	mustEdit(t, dir, "u1=2")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o640 || owner.Uid != 12 || owner.Gid != 34 {
		t.Errorf("mode %v, owner %d, group %d", info.Mode(), owner.Uid, owner.Gid)
	}
}

// TestEditSymbolicLink compares what becomes of a link with what Postfix makes of it.
func TestEditSymbolicLink(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postfix, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := linked(t), linked(t)
	if r := runPostfix(t, postfix, []string{"-c", theirs, "u1=2"}); r.Exit != 0 {
		t.Fatalf("Postfix: %s", r.Stderr)
	}
	mustEdit(t, ours, "u1=2")
	for _, name := range []string{"main.cf", "real.cf"} {
		want, got := describe(t, theirs, name), describe(t, ours, name)
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// linked returns a directory in which main.cf is a link.
func linked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "real.cf", "u1 = 1\n")
	if err := os.Symlink("real.cf", filepath.Join(dir, "main.cf")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func describe(t *testing.T, dir, name string) string {
	t.Helper()
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v %q", info.Mode(), readText(t, dir, name))
}

// TestEditAfterCrash leaves various things where the temporary file will be. What another program can have locked or
// linked is not written to.
func TestEditAfterCrash(t *testing.T) {
	for _, tc := range []struct {
		name   string
		leave  func(path, temporary string) error
		reused bool
	}{
		{"half a file", leftover(strings.Repeat("half a file\n", 100), temporaryMode), true},
		{"a file that others can lock", leftover("u1 = 1\n", 0o644), false},
		{"the file itself", os.Link, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "main.cf", "u1 = 1\n")
			path := filepath.Join(dir, "main.cf")
			if err := os.Chmod(path, temporaryMode); err != nil {
				t.Fatal(err)
			}
			if err := tc.leave(path, path+".tmp"); err != nil {
				t.Fatal(err)
			}
			old, err := os.Open(path + ".tmp")
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			mustEdit(t, dir, "u1=2")
			if got := describe(t, dir, "main.cf"); got != `-rw------- "u1 = 2\n"` {
				t.Errorf("got %s", got)
			}
			want := "u1 = 1\n"
			if tc.reused {
				want = "u1 = 2\n"
			}
			if text, err := io.ReadAll(old); err != nil || string(text) != want {
				t.Errorf("what was there is now %q, want %q (%v)", text, want, err)
			}
			onlyFile(t, dir, "main.cf")
		})
	}
}

// leftover returns a function that writes the temporary file.
func leftover(text string, mode os.FileMode) func(path, temporary string) error {
	return func(_, temporary string) error { return os.WriteFile(temporary, []byte(text), mode) }
}

func TestEditDoesNotFollowTemporaryLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	writeFile(t, dir, "main.cf", "u1 = 1\n")
	if err := os.WriteFile(elsewhere, []byte("precious"), temporaryMode); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "main.cf.tmp")); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if exit := run([]string{"-c", dir, "u1=2"}, &stdout, &stderr); exit != 1 {
		t.Errorf("exit %d", exit)
	}
	want := "postconf: fatal: open " + dir + "/main.cf.tmp: Too many levels of symbolic links\n"
	if stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
	if data, err := os.ReadFile(elsewhere); err != nil || string(data) != "precious" {
		t.Errorf("%q %v", data, err)
	}
}

// TestEditMissing compares the messages about missing files with Postfix's.
func TestEditMissing(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postfix, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"u1=2"}, {"-MX", "a/b"}} {
		for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nosuch")} {
			args := append([]string{"-c", dir}, args...)
			want := runPostfix(t, postfix, args)
			var stdout, stderr bytes.Buffer
			exit := run(args, &stdout, &stderr)
			if exit != want.Exit || stderr.String() != string(want.Stderr) {
				t.Errorf("postconf %q: got %d %s, want %d %s", args, exit, stderr.String(), want.Exit, want.Stderr)
			}
			if entries, err := fs.Glob(os.DirFS(dir), "*"); err != nil || len(entries) > 0 {
				t.Errorf("postconf %q left %q (%v)", args, entries, err)
			}
		}
	}
}

// TestOptionsAgainstPostfix compares what does not depend on the configuration.
func TestOptionsAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postfix, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	dir := writeFiles(t, map[string]latin1{"main.cf": testMain, "master.cf": "smtp inet n - n - - smtpd\n"})
	makeOld(t, dir)
	var wait sync.WaitGroup
	for _, args := range [][]string{
		{"-l"}, {"-lm"}, {"-lp"}, {"-lh"}, {"-ld"}, {"-e"}, {"-Me"}, {"-X"}, {"-#"}, {"-MX"}, {"-M#"}, {"-PX"}, {"-FX"}, {"-F#"}, {"-P#"},
		{"-eX", "u1"}, {"-e#", "u1"}, {"-X#", "u1"}, {"-X", "u1=1"}, {"-fe", "u1=1"}, {"-xX", "u1"}, {"-dX", "u1"}, {"-n#", "u1"},
		{"-hH"}, {"-he", "u1=2"}, {"-o", "u1=2", "u1=3"}, {"-C", "user", "u1=3"}, {"-C", "builtin", "-M"}, {"-lC", "user"}, {"-md", "x=y"},
		{"-MF", "smtp/inet=x"}, {"-Mh"}, {"-Pn"}, {"-Md"}, {"-dn"}, {"-Mn#"}, {"-pe", "x"}, {"-Me", "smtp"}, {"-MX", "smtp"},
		{"-F", "smtp/inet=x"}, {"-F", "smtp/inet/*=x"}, {"-F", "smtp/inet/x=y"}, {"-PX", "smtp/inet/*"}, {"-PX", "smtp/inet"},
	} {
		wait.Go(func() {
			args := append([]string{"-c", dir}, args...)
			want := runPostfix(t, postfix, args)
			var stdout, stderr bytes.Buffer
			exit := run(args, &stdout, &stderr)
			got := result{Exit: exit, Stdout: latin1(stdout.String()), Stderr: latin1(stderr.String())}
			if !same(got, want) {
				t.Errorf("postconf %q: got %+v, want %+v", args, got, want)
			}
		})
	}
	wait.Wait()
}
