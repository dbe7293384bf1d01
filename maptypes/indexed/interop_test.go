package indexed_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// many is the number of entries of a large table.
const many = 100_000

// few is the number for the less usual ways to store them.
const few = 2_000

// largeTable returns n entries, keys and values in turns, the keys in no order,
// and the same as the source of a table.
func largeTable(n int) (pairs []string, source string) {
	var text strings.Builder
	for i := range n {
		key, value := fmt.Sprintf("user%d@example.com", i*7919%n), fmt.Sprintf("value %d %s", i, strings.Repeat("x", 1+i%50))
		pairs = append(pairs, key, value)
		fmt.Fprintf(&text, "%s %s\n", key, value)
	}
	return pairs, text.String()
}

// nulls are the ways to say how entries are stored.
var nulls = []struct {
	name   string
	option []string // of postmap
	flags  maptypes.Flags
	size   int // of a large table
}{
	{"default", nil, 0, many},
	{"without", []string{"-n"}, maptypes.FlagTry0Null, few},
	{"with", []string{"-N"}, maptypes.FlagTry1Null, few},
	{"both", []string{"-n", "-N"}, maptypes.FlagTry0Null | maptypes.FlagTry1Null, few},
}

// forPostfixTypes runs a test for the types that Postfix has too.
func forPostfixTypes(t *testing.T, test func(t *testing.T, typ string)) {
	testenv.Require(t, testenv.Postfix)
	for _, typ := range []string{"cdb", "lmdb"} {
		t.Run(typ, func(t *testing.T) { test(t, typ) })
	}
}

func TestFilesOfPostfixAreRead(t *testing.T) {
	forPostfixTypes(t, func(t *testing.T, typ string) {
		for _, null := range nulls {
			pairs, source := largeTable(null.size)
			w := newWorld(t)
			path := w.write("t", source)
			if _, log, code := w.postmap("", append(null.option, typ+":"+path)...); code != 0 {
				t.Fatal(log)
			}
			h := w.mustOpen(typ, "t", maptypes.ReadOnly, 0)
			for i := 0; i < len(pairs); i += 2 {
				if got := get(h, pairs[i]); got != pairs[i+1] {
					t.Fatalf("%s: %s: %q, want %q", null.name, pairs[i], got, pairs[i+1])
				}
				if got := get(h, pairs[i]+"x"); got != "<not found>" {
					t.Fatalf("%s: %sx: %q", null.name, pairs[i], got)
				}
			}
			if got := strings.Count(list(t, h), "\n"); got != null.size {
				t.Errorf("%s: %d entries are listed", null.name, got)
			}
		}
	})
}

func TestPostfixReadsOurFiles(t *testing.T) {
	forPostfixTypes(t, func(t *testing.T, typ string) {
		if typ == "lmdb" && !lmdbWrites {
			return
		}
		for _, null := range nulls {
			pairs, _ := largeTable(null.size)
			var keys, want strings.Builder
			for i := 0; i < len(pairs); i += 2 {
				fmt.Fprintln(&keys, pairs[i])
				if i%20 == 0 {
					fmt.Fprintln(&keys, pairs[i]+"x")
				}
				fmt.Fprintf(&want, "%s\t%s\n", pairs[i], pairs[i+1])
			}
			w := newWorld(t)
			w.mustBuild(typ, "t", null.flags, pairs...)
			spec := typ + ":" + w.path("t")
			if got, log, _ := w.postmap(keys.String(), "-q", "-", spec); got != want.String() || log != "" {
				t.Errorf("%s: got %d bytes instead of %d; logged %s", null.name, len(got), want.Len(), log)
			}
			if typ == "lmdb" {
				got, _, _ := w.postmap("", "-s", spec)
				if ours := list(t, w.mustOpen(typ, "t", maptypes.ReadOnly, 0)); got != ours || strings.Count(got, "\n") != null.size {
					t.Errorf("%s: the lists differ (%d and %d bytes)", null.name, len(got), len(ours))
				}
			}
		}
	})
}

// TestCdbFilesEqualPostfix compares the files, bytes for bytes, for all ways to
// treat duplicates.
func TestCdbFilesEqualPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	var pairs []string
	for i := range 400 {
		pairs = append(pairs, fmt.Sprintf("k%d", i*i%97), fmt.Sprintf("value %d %s", i, strings.Repeat("y", 1+i%7)))
	}
	for _, tables := range [][]string{nil, {"s9nrcue", "hash 0"}, pairs} {
		var source strings.Builder
		for i := 0; i < len(tables); i += 2 {
			fmt.Fprintf(&source, "%s %s\n", tables[i], tables[i+1])
		}
		for _, dup := range []struct {
			option []string
			flags  maptypes.Flags
		}{
			{nil, maptypes.FlagDupWarn},
			{[]string{"-w"}, maptypes.FlagDupIgnore},
			{[]string{"-r"}, maptypes.FlagDupReplace},
		} {
			for _, null := range nulls {
				w := newWorld(t)
				path := w.write("t", source.String())
				_, log, _ := w.postmap("", slices.Concat(dup.option, null.option, []string{"cdb:" + path})...)
				want, err := os.ReadFile(path + ".cdb")
				if err != nil {
					t.Fatal(err)
				}
				w.mustBuild("cdb", "t", dup.flags|null.flags, tables...)
				got, err := os.ReadFile(path + ".cdb")
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d entries, %v %s: the files differ", len(tables)/2, dup.option, null.name)
				}
				if got, want := w.logged(), strings.ReplaceAll(strings.TrimSpace(log), "postmap: ", ""); got != want {
					t.Errorf("logged %s\nwant %s", got, want)
				}
			}
		}
	}
}

// TestLmdbDuplicates compares what is left of duplicates, and the log.
func TestLmdbDuplicates(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	if !lmdbWrites {
		return
	}
	for option, flags := range map[string]maptypes.Flags{"-v": maptypes.FlagDupWarn, "-w": maptypes.FlagDupIgnore, "-r": maptypes.FlagDupReplace} {
		w := newWorld(t)
		path := w.write("t", "a 1\nb 2\na 3\nA 4\n")
		args := []string{option, "lmdb:" + path}
		if option == "-v" {
			args = args[1:] // the default
		}
		_, log, _ := w.postmap("", args...)
		want, _, _ := w.postmap("", "-s", "lmdb:"+path)
		w.mustBuild("lmdb", "t", flags|maptypes.FlagFoldFix, "a", "1", "b", "2", "a", "3", "A", "4")
		got, _, _ := w.postmap("", "-s", "lmdb:"+path)
		if got != want || got == "" {
			t.Errorf("%s: %q, want %q", option, got, want)
		}
		if got, want := w.logged(), strings.ReplaceAll(strings.TrimSpace(log), "postmap: ", ""); got != want {
			t.Errorf("%s: logged %s\nwant %s", option, got, want)
		}
	}
}

// TestUpdatesMeetPostfix lets both programs change one file in turns.
func TestUpdatesMeetPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	if !lmdbWrites {
		return
	}
	w := newWorld(t)
	h := w.mustOpen("lmdb", "t", maptypes.Create, fold)
	spec := "lmdb:" + w.path("t")
	for i := range 30 {
		ours, theirs := fmt.Sprintf("our%d", i), fmt.Sprintf("their%d", i)
		if err := put(h, ours, "1"); err != nil {
			t.Fatal(err)
		}
		if got, log, _ := w.postmap("", "-q", ours, spec); got != "1\n" {
			t.Fatalf("Postfix reads %q of %s: %s", got, ours, log)
		}
		if _, log, code := w.postmap(theirs+" 2\n", "-i", spec); code != 0 {
			t.Fatal(log)
		}
		if got := get(h, theirs); got != "2" {
			t.Fatalf("we read %q of %s", got, theirs)
		}
		if i%3 == 0 {
			if err := del(h, theirs); err != nil {
				t.Fatal(err)
			}
			if _, log, code := w.postmap("", "-d", ours, spec); code != 0 {
				t.Fatal(log)
			}
			if got := get(h, ours); got != "<not found>" {
				t.Fatalf("we read %q of %s", got, ours)
			}
		}
	}
	want, _, _ := w.postmap("", "-s", spec)
	if got := list(t, h); got != want || strings.Count(got, "\n") != 40 {
		t.Errorf("we list\n%sPostfix lists\n%s", got, want)
	}
}

// TestReadingWhilePostfixRebuilds reads without a pause while Postfix's postmap
// makes the table again and again, in place (lmdb) or anew (cdb).
func TestReadingWhilePostfixRebuilds(t *testing.T) {
	forPostfixTypes(t, func(t *testing.T, typ string) {
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
		path := w.write("t", sources[0])
		rebuild := func(i int) {
			w.write("t", sources[i%2])
			if _, log, code := w.postmap("", typ+":"+path); code != 0 {
				t.Fatal(log)
			}
		}
		rebuild(0)
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		var stop atomic.Bool
		var reads atomic.Int64
		var wait sync.WaitGroup
		for g := range 3 {
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
		for i := 1; i <= 40; i++ {
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
	})
}
