package bdbmap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// TestReadingWhilePostfixRebuilds reads without a pause while Postfix's postmap
// makes the table again and again, in place and under its lock.
func TestReadingWhilePostfixRebuilds(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		t.Run(typ, func(t *testing.T) {
			w := newWorld(t)
			w.env.Daemon = true
			var sources [2]string
			for i := range sources {
				var text strings.Builder
				for k := range 3000 {
					fmt.Fprintf(&text, "key%d %s\n", k, strings.Repeat(fmt.Sprint(i), 1+k%40))
				}
				sources[i] = text.String()
			}
			rebuild := func(i int) {
				w.postmap("", typ+":"+w.write("t", sources[i%2]))
			}
			rebuild(0)
			h := w.mustOpen(typ, "t", maptypes.ReadOnly)
			var stop atomic.Bool
			var reads atomic.Int64
			var wait sync.WaitGroup
			for g := range 4 {
				wait.Go(func() {
					for k := g; !stop.Load(); k = (k + 7) % 3000 {
						got := get(h, fmt.Sprintf("key%d", k))
						if got != strings.Repeat("0", 1+k%40) && got != strings.Repeat("1", 1+k%40) {
							t.Errorf("key%d: %q", k, got)
							return
						}
						reads.Add(1)
					}
				})
			}
			for i := 1; i <= 20; i++ {
				rebuild(i)
			}
			stop.Store(true)
			wait.Wait()
			if reads.Load() < 1000 {
				t.Errorf("only %d lookups", reads.Load())
			}
			if got := get(h, "key39"); got != strings.Repeat("0", 40) {
				t.Errorf("at the end: %q", got)
			}
			if got := w.logged(); got != "" {
				t.Errorf("logged %s", got)
			}
		})
	}
}

// TestReplacedFile: a file that is renamed into place is seen by open tables.
func TestReplacedFile(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		w.env.Daemon = true
		w.postmap("", typ+":"+w.write("t", "a old\n"), typ+":"+w.write("u", "a new\n"))
		h := w.mustOpen(typ, "t", maptypes.ReadOnly)
		if got := get(h, "A"); got != "old" {
			t.Errorf("%s: %q", typ, got)
		}
		if err := os.Rename(w.path("u.db"), w.path("t.db")); err != nil {
			t.Fatal(err)
		}
		if got := get(h, "a"); got != "new" {
			t.Errorf("%s: %q after the file was replaced", typ, got)
		}
	}
}

// TestLockedByAWriter: a lookup waits for a writer, and not for ever.
func TestLockedByAWriter(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		w.postmap("", typ+":"+w.write("t", "a b\n"))
		h := w.mustOpen(typ, "t", maptypes.ReadOnly)
		writer, err := os.OpenFile(w.path("t.db"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Close()
		if err := syscall.Flock(int(writer.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_, err = h.Lookup(ctx, &maptypes.Request{Key: []byte("a"), Flags: h.Flags()})
		if !errors.Is(err, maptypes.ErrRetry) {
			t.Errorf("%s: locked: %v", typ, err)
		}
		answer := make(chan string)
		go func() { answer <- get(h, "a") }()
		select {
		case got := <-answer:
			t.Fatalf("%s: %q in spite of the lock", typ, got)
		case <-time.After(20 * time.Millisecond):
		}
		if err := syscall.Flock(int(writer.Fd()), syscall.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		if got := <-answer; got != "b" {
			t.Errorf("%s: %q", typ, got)
		}
		// The lock is not kept.
		if err := syscall.Flock(int(writer.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Errorf("%s: after the lookups: %v", typ, err)
		}
	}
}

// TestFileOfTheOtherKind has Postfix's message, also for files that are none.
func TestFileOfTheOtherKind(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for i, typ := range types {
		w := newWorld(t)
		w.postmap("", types[1-i]+":"+w.write("other", "a b\n"))
		w.write("text.db", "a b\n")
		w.write("empty.db", "")
		for _, name := range []string{"other", "text", "empty"} {
			_, err := w.open(typ, name, maptypes.ReadOnly)
			if want := "open database " + w.path(name) + ".db: Invalid argument"; err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", typ, err, want)
			}
		}
		_, err := w.open(typ, "none", maptypes.ReadOnly)
		if want := "open database " + w.path("none") + ".db: No such file or directory"; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", typ, err, want)
		}
	}
}

// damage makes the first entry of every page lie outside of the page.
func (w *world) damage(name string) {
	w.t.Helper()
	content, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	for at := 4096; at < len(content); at += 4096 {
		content[at+26], content[at+27] = 0xff, 0xff
	}
	w.write(name, string(content))
	later := time.Now().Add(time.Second) // not in the tick of the clock of the last change
	if err := os.Chtimes(w.path(name), later, later); err != nil {
		w.t.Fatal(err)
	}
}

// TestDamagedFile: the request fails, says why, and the next one is served once
// the file is made again.
func TestDamagedFile(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		w.postmap("", typ+":"+w.write("t", "a b\n"))
		h := w.mustOpen(typ, "t", maptypes.ReadOnly)
		w.damage("t.db")
		if got := get(h, "a"); !strings.Contains(got, "configuration error: error reading "+w.path("t.db")+": damaged database") {
			t.Errorf("%s: %q", typ, got)
		}
		w.postmap("", typ+":"+w.path("t"))
		if got := get(h, "a"); got != "b" {
			t.Errorf("%s: %q after it was made again", typ, got)
		}
	}
}

// TestWholeListWhileEntriesGo deletes every entry as it is listed, as the
// clean-up of Postfix's caches does.
func TestWholeListWhileEntriesGo(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range types {
		w := newWorld(t)
		var source strings.Builder
		for i := range 200 {
			fmt.Fprintf(&source, "key%d %s\n", i, strings.Repeat("v", 100))
		}
		w.postmap("", typ+":"+w.write("t", source.String()))
		h := w.mustOpen(typ, "t", maptypes.ReadOnly)
		var c maptypes.Cursor
		seen := 0
		for r := (&maptypes.Request{}); ; seen++ {
			key, _, err := h.Sequence(context.Background(), r, &c)
			if err == maptypes.ErrNotFound {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if seen%10 == 3 {
				w.postmap("", "-d", string(key), typ+":"+w.path("t"))
			}
		}
		if seen != 200 {
			t.Errorf("%s: %d entries of 200 were listed", typ, seen)
		}
	}
}
