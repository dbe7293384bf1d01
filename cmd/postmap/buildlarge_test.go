package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// largeSource returns a source of n lines in no order. Some keys come twice, and
// some lines are wrong.
func largeSource(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "User%d@example.com value %d %s\n", i*7919%n, i, strings.Repeat("x", i%150))
		switch i % (n / 40) {
		case 7:
			fmt.Fprintf(&text, "user%d@example.com again\n", i/3*7919%n)
		case 8:
			fmt.Fprintf(&text, "no-value-%d\n", i)
		}
	}
	return text.String()
}

// TestLargeCdb: the files equal Postfix's byte for byte, for all ways to treat
// duplicates, and so do the warnings.
func TestLargeCdb(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	for _, option := range []string{"-o", "-w", "-r"} {
		p := newPlace(t)
		p.write("t", largeSource(20_000))
		want := p.theirs("", option, "cdb:t")
		file := p.read("t.cdb")
		if got := p.ours("", option, "cdb:t"); got != want {
			t.Errorf("postmap %s: %+v, want %+v", option, got, want)
		}
		if got := p.read("t.cdb"); !bytes.Equal(got, file) {
			t.Errorf("postmap %s: %d bytes differ from Postfix's %d", option, len(got), len(file))
		}
	}
}

// TestLargeTables: what Postfix reads from our files is what it reads from its own,
// and it can go on with ours. They are so large that they are sorted in parts.
func TestLargeTables(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	for _, typ := range postfixTypes() {
		for _, option := range []string{"-o", "-r"} {
			if typ == "cdb" {
				continue // postmap -s is too new for it
			}
			t.Run(typ+option, func(t *testing.T) {
				// Postfix's postmap no longer folds keys when it has raised the size of an lmdb file.
				p := newPlace(t, "lmdb_map_size = 100000000")
				p.write("t", largeSource(120_000))
				built := p.theirs("", option, typ+":t")
				want := sortedLines(p.theirs("", "-s", typ+":t").stdout)
				if got := p.ours("", option, typ+":t"); got != built {
					t.Errorf("postmap %s: exit %d and %d bytes of warnings, want %d and %d", option, got.exit, len(got.stderr), built.exit, len(built.stderr))
				}
				if got := sortedLines(p.theirs("", "-s", typ+":t").stdout); got != want || strings.Count(want, "\n") < 110_000 {
					t.Errorf("%d bytes, want %d", len(got), len(want))
				}
				more := "new1 1\nnew2 2\nuser5@example.com replaced\n" + strings.Repeat("v", 9000) + " " + strings.Repeat("w", 9000) + "\n"
				if typ == "lmdb" {
					more = more[:strings.Index(more, "vvv")] // no keys of that size
				}
				if r := p.theirs(more, "-r", "-i", typ+":t"); r.exit != 0 {
					t.Fatalf("%+v", r)
				}
				p.theirs("", "-d", "user6@example.com", typ+":t")
				keys := "new1\nuser5@example.com\nuser6@example.com\n"
				if got, want := p.ours(keys, "-q", "-", typ+":t"), "new1\t1\nuser5@example.com\treplaced\n"; got.stdout != want {
					t.Errorf("%+v, want %q", got, want)
				}
			})
		}
	}
}

// TestInterruptLarge ends builds of which a large part is written.
func TestInterruptLarge(t *testing.T) {
	t.Parallel()
	for _, typ := range builtTypes() {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(typ+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				p, cmd := interruptedBuild(t, typ, nil, func(_ *place, cmd *exec.Cmd, source io.Writer) {
					w := bufio.NewWriter(source)
					for i := range 100_000 {
						fmt.Fprintf(w, "key%d new value %d\n", i, i)
					}
					if err := errors.Join(w.Flush(), cmd.Process.Signal(sig)); err != nil {
						t.Fatal(err)
					}
					cmd.Wait()
				})
				if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
					t.Errorf("ended with %v", cmd.ProcessState)
				}
				if got := p.succeed("old\nkey1\n", "-q", "-", typ+":t"); got != "old\tvalue\n" {
					t.Errorf("the old table answers %q", got)
				}
				if left := listing(t, p.dir); sig != syscall.SIGKILL && len(left) != 2 {
					t.Errorf("files: %v", left)
				}
				// The next build removes what SIGKILL has left.
				if err := os.Remove(filepath.Join(p.dir, "t")); err != nil {
					t.Fatal(err)
				}
				p.write("t", "newer value\n")
				p.succeed("", typ+":t")
				if got := p.succeed("old\nkey1\nnewer\n", "-q", "-", typ+":t"); got != "newer\tvalue\n" {
					t.Errorf("the new table answers %q", got)
				}
				if left := listing(t, p.dir); len(left) != 2 {
					t.Errorf("files: %v", left)
				}
			})
		}
	}
}

// TestInterruptAnywhere ends builds at random moments: what is there then is the old
// table or the new one.
func TestInterruptAnywhere(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	const entries = 60_000
	for i := range entries {
		fmt.Fprintf(&source, "key%d new value %d %s\n", i*7919%entries, i, strings.Repeat("x", 100))
	}
	for _, typ := range builtTypes() {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("t", source.String())
			start := time.Now()
			p.succeed("", typ+":t")
			took := time.Since(start)
			interrupted := 0
			for range 8 {
				p.write("t", "old value\n")
				p.succeed("", typ+":t")
				p.write("t", source.String())
				cmd := p.command(filepath.Join(testenv.Bin(t, "postmap"), "postmap"), typ+":t")
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(rand.N(took))
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Wait(); err != nil {
					interrupted++
				}
				if left := listing(t, p.dir); len(left) != 2 {
					t.Errorf("files: %v", left)
				}
				got := p.ours("old\nkey1\nkey59999\n", "-q", "-", typ+":t").stdout
				if n := strings.Count(got, "new value"); got != "old\tvalue\n" && n != 2 {
					t.Errorf("%v: the table answers %q", cmd.ProcessState, got)
				}
			}
			t.Logf("%d of 8 were interrupted", interrupted)
		})
	}
}
