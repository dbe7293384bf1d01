//go:build cgo && libdb

package bdbmap_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// build makes the table name anew from its source.
func (w *world) build(typ, name, source string, flags maptypes.Flags) error {
	b, err := registry.Create(w.env, typ+":"+w.path(name), flags)
	if err != nil {
		return err
	}
	defer b.Abort()
	r := &maptypes.Request{Flags: flags}
	for line := range strings.Lines(source) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		r.Key, r.Value = []byte(key), []byte(value)
		if err := b.Add(context.Background(), r); err != nil {
			return err
		}
	}
	return b.Commit()
}

// TestPostfixReadsOurFiles compares with the file that Postfix makes of the same
// source, in the same order.
func TestPostfixReadsOurFiles(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	var large, long strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&large, "User%d@example.com value %d\n", i*7919%10_000, i)
	}
	for i := range 200 {
		fmt.Fprintf(&long, "%s%d %s\n", strings.Repeat("k", i*67%10_000), i, strings.Repeat("v", 1+i*31%20_000))
	}
	nulls := map[string]maptypes.Flags{"-N": maptypes.FlagTry1Null, "-n": maptypes.FlagTry0Null, "-v": 0}
	for _, typ := range types {
		for _, source := range []string{"", "a b\n", large.String(), long.String()} {
			for option, flags := range nulls {
				w := newWorld(t)
				args := []string{option, typ + ":" + w.write("theirs", source)}
				if option == "-v" { // the default
					args = args[1:]
				}
				w.postmap("", args...)
				if err := w.build(typ, "ours", source, flags|maptypes.FlagFoldFix); err != nil {
					t.Fatal(err)
				}
				theirs, err := os.ReadFile(w.path("theirs.db"))
				if err != nil {
					t.Fatal(err)
				}
				ours, err := os.ReadFile(w.path("ours.db"))
				if err != nil {
					t.Fatal(err)
				}
				if len(ours) != len(theirs) {
					t.Errorf("%s %s: %d bytes, Postfix's has %d", typ, option, len(ours), len(theirs))
				}
				got, want := w.postmap("", "-s", typ+":"+w.path("ours")), w.postmap("", "-s", typ+":"+w.path("theirs"))
				if got != want || strings.Count(want, "\n") != strings.Count(source, "\n") {
					t.Errorf("%s %s: Postfix lists %d bytes of ours, %d of its own", typ, option, len(got), len(want))
				}
				if got := list(t, w.mustOpen(typ, "ours", maptypes.ReadOnly)); got != want {
					t.Errorf("%s %s: we list something else", typ, option)
				}
			}
		}
	}
}

func TestDuplicates(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		for _, dup := range []struct {
			flags    maptypes.Flags
			log, all string
		}{
			{maptypes.FlagDupWarn, "warning: DIR/t.db: duplicate entry: \"a\"", "a\t1\n"},
			{maptypes.FlagDupIgnore, "", "a\t1\n"},
			{maptypes.FlagDupReplace, "", "a\t2\n"},
		} {
			w := newWorld(t)
			if err := w.build(typ, "t", "a 1\nA 2\n", dup.flags|maptypes.FlagFoldFix); err != nil {
				t.Fatal(err)
			}
			if got := w.postmap("", "-s", typ+":"+w.path("t")); got != dup.all {
				t.Errorf("%s %v: %q, want %q", typ, dup.flags, got, dup.all)
			}
			if got := w.logged(); got != dup.log {
				t.Errorf("%s %v: logged %s", typ, dup.flags, got)
			}
		}
		w := newWorld(t)
		if err := w.build(typ, "t", "a 1\na 2\n", 0); err == nil || !strings.Contains(err.Error(), `t.db: duplicate entry: "a"`) {
			t.Errorf("%s: %v", typ, err)
		}
		if _, err := os.Stat(w.path("t.db")); !os.IsNotExist(err) {
			t.Errorf("%s: a table is left behind: %v", typ, err)
		}
	}
}

// TestUpdatesMeetPostfix lets both programs change one file in turns.
func TestUpdatesMeetPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create)
		spec := typ + ":" + w.path("t")
		for i := range 30 {
			ours, theirs := fmt.Sprintf("our%d", i), fmt.Sprintf("their%d", i)
			if err := put(h, ours, strings.Repeat("1", 1+i*300)); err != nil {
				t.Fatal(err)
			}
			if got := w.postmap("", "-q", ours, spec); len(got) != 2+i*300 {
				t.Fatalf("%s: Postfix reads %q of %s", typ, got, ours)
			}
			w.postmap(theirs+" 2\n", "-i", spec)
			if got := get(h, theirs); got != "2" {
				t.Fatalf("%s: we read %q of %s", typ, got, theirs)
			}
			if i%3 == 0 {
				if err := del(h, theirs); err != nil {
					t.Fatal(err)
				}
				w.postmap("", "-d", ours, spec)
				if got := get(h, ours); got != "<not found>" {
					t.Fatalf("%s: we read %q of %s", typ, got, ours)
				}
			}
		}
		if err := del(h, "none"); err != maptypes.ErrNotFound {
			t.Errorf("%s: delete of no key: %v", typ, err)
		}
		want := w.postmap("", "-s", spec)
		if got := list(t, h); got != want || strings.Count(got, "\n") != 40 {
			t.Errorf("%s: we list\n%sPostfix lists\n%s", typ, got, want)
		}
	}
}

// TestWritersTakeTurns: two tables of ours and Postfix's postmap change one file
// at the same time, and nothing is lost.
func TestWritersTakeTurns(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		handles := []*maptypes.Handle{w.mustOpen(typ, "t", maptypes.Create), w.mustOpen(typ, "t", maptypes.Create)}
		var wait sync.WaitGroup
		for g, h := range handles {
			wait.Go(func() {
				for i := range 60 {
					if err := put(h, fmt.Sprintf("our%d-%d", g, i), strings.Repeat("x", 50)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Go(func() {
			for i := range 10 {
				cmd := exec.Command("postmap", "-i", typ+":"+w.path("t"))
				cmd.Stdin = strings.NewReader(fmt.Sprintf("their%d y\nmore%d z\n", i, i))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("postmap: %v: %s", err, out)
				}
			}
		})
		wait.Wait()
		if got := strings.Count(w.postmap("", "-s", typ+":"+w.path("t")), "\n"); got != 140 {
			t.Errorf("%s: %d entries of 140 are there", typ, got)
		}
	}
}

// TestUnsyncedChanges are seen by the table that makes them, and by others once
// it is closed, as with postmap -i.
func TestUnsyncedChanges(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		h, err := w.open(typ, "t", maptypes.Create)
		if err != nil {
			t.Fatal(err)
		}
		r := &maptypes.Request{}
		for i := range 1000 {
			r.Key, r.Value, r.Flags = fmt.Append(nil, "key", i), []byte("v"), h.Flags()
			if err := h.Update(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		if got := get(h, "key7"); got != "v" {
			t.Errorf("%s: %q", typ, got)
		}
		r.Key, r.Flags = []byte("key8"), h.Flags()
		if err := h.Delete(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		h.Close()
		if got := strings.Count(w.postmap("", "-s", typ+":"+w.path("t")), "\n"); got != 999 {
			t.Errorf("%s: %d entries", typ, got)
		}
	}
}

// TestNoWritingToDamagedFiles: the library would trust them. Reading goes on as
// far as it can, and a new file ends it.
func TestNoWritingToDamagedFiles(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		w.env.Daemon = true
		w.postmap("", typ+":"+w.write("t", "a b\n"))
		h := w.mustOpen(typ, "t", maptypes.Create)
		if err := put(h, "c", "d"); err != nil {
			t.Fatal(err)
		}
		w.damage("t.db")
		if err := put(h, "e", "f"); maptypes.Class(err) != maptypes.ErrConfig || !strings.Contains(err.Error(), "error writing "+w.path("t.db")+": damaged database") {
			t.Errorf("%s: %v", typ, err)
		}
		w.postmap("", typ+":"+w.path("t"))
		if err := put(h, "e", "f"); err != nil {
			t.Errorf("%s: after it was made again: %v", typ, err)
		}
		if got := get(h, "e"); got != "f" {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

// TestLeftovers: an empty file, which a crash leaves behind, is replaced; a file
// of the other kind is not.
func TestLeftovers(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for i, typ := range types {
		w := newWorld(t)
		w.write("t.db", "")
		h := w.mustOpen(typ, "t", maptypes.Create)
		if got, want := w.logged(), "warning: removing zero-length database file: DIR/t.db"; got != want {
			t.Errorf("%s: logged %s", typ, got)
		}
		if err := put(h, "a", "b"); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		_, err := w.open(types[1-i], "t", maptypes.Create)
		if want := "open database " + w.path("t.db") + ": Invalid argument"; err == nil || err.Error() != want {
			t.Errorf("%s as %s: %v", typ, types[1-i], err)
		}
		if _, err := w.open(typ, "none", maptypes.ReadWrite); err == nil || !os.IsNotExist(errorsCause(err)) {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// errorsCause returns the innermost error.
func errorsCause(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}
