package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// sourceWords are what generated table sources consist of.
var sourceWords = []string{
	"alice", "Bob", "bob", "ALICE", "carol@example.com", "a", `"`, `"x y"`, `\`, `\"`, `\ `, "key:", ":", "#", "#c",
	" ", "  ", "\t", "\n", "\n", "\n", "\n ", "\n\t", "\r\n", "\v", "\f", "value", "two words", "v,w", "=", "\x80", "\xc3\xa9",
}

func pick(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

func text(r *rand.Rand, words []string, most int) string {
	var b strings.Builder
	for range r.IntN(most) {
		b.WriteString(pick(r, words))
	}
	return b.String()
}

// postfixTypes are the types that both programs can make.
func postfixTypes() []string {
	return slices.DeleteFunc([]string{"btree", "cdb", "hash", "lmdb"}, func(typ string) bool {
		return !slices.Contains(builtTypes(), typ)
	})
}

// TestBuildAgainstPostfix makes tables from generated sources with both programs,
// and reads each with the other.
func TestBuildAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	options := [][]string{nil, {"-n"}, {"-N"}, {"-w"}, {"-r"}, {"-f"}, {"-p"}, {"-o"}, {"-fN"}, {"-rw"}, {"-nN"}, {"-u"}}
	types := postfixTypes()
	for n := range 15 * len(types) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(n)))
			ours, theirs := newPlace(t, "smtputf8_enable = no"), newPlace(t, "smtputf8_enable = no")
			source := text(r, sourceWords, 120)
			ours.write("src", source)
			theirs.write("src", source)
			typ := types[n%len(types)]
			args := append(append([]string{}, options[r.IntN(len(options))]...), typ+":src")
			got, want := ours.ours("", args...), theirs.theirs("", args...)
			if got != want {
				t.Errorf("postmap %q of %q:\n%+v, want\n%+v", args, source, got, want)
			}
			if want.exit != 0 { // an empty key in LMDB
				return
			}
			if typ == "cdb" && !bytes.Equal(ours.read("src.cdb"), theirs.read("src.cdb")) {
				t.Errorf("%q: the files differ", source)
			}
			crossRead(t, ours, theirs, typ, r)
		})
	}
}

// crossRead reads the tables that both programs have made with both programs.
func crossRead(t *testing.T, ours, theirs *place, typ string, r *rand.Rand) {
	t.Helper()
	// Postfix ends when it looks up an empty key in LMDB.
	keys := "alice\n" + text(r, sourceWords, 60) + "\n"
	for strings.Contains(keys, "\n\n") {
		keys = strings.ReplaceAll(keys, "\n\n", "\n")
	}
	for _, args := range [][]string{{"-q", "-", typ + ":src"}, {"-f", "-q", "-", typ + ":src"}, {"-s", typ + ":src"}} {
		if typ == "cdb" && args[0] == "-s" { // 3.7 cannot
			continue
		}
		want := theirs.theirs(keys, args...)
		for _, got := range []ran{ours.ours(keys, args...), ours.theirs(keys, args...), theirs.ours(keys, args...)} {
			if got != want {
				t.Errorf("postmap %q of %q: %+v, want %+v", args, keys, got, want)
			}
		}
	}
}

// TestUpdatesAgainstPostfix changes tables with generated requests.
func TestUpdatesAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	for _, typ := range postfixTypes() {
		if typ != "cdb" { // which cannot be changed
			t.Run(typ, func(t *testing.T) { t.Parallel(); testUpdates(t, typ) })
		}
	}
}

func testUpdates(t *testing.T, typ string) {
	ours, theirs := newPlace(t), newPlace(t)
	r := rand.New(rand.NewPCG(7, 7))
	names := []string{"a", "b", "C", "c", "dd", "e@x"}
	for _, p := range []*place{ours, theirs} {
		p.write("t", "a first\nC third\n")
	}
	both := func(stdin string, args ...string) {
		t.Helper()
		if got, want := ours.ours(stdin, args...), theirs.theirs(stdin, args...); got != want {
			t.Errorf("postmap %q < %q: %+v, want %+v", args, stdin, got, want)
		}
	}
	table := typ + ":t"
	both("", table)
	for n := range 30 {
		switch r.IntN(5) {
		case 0:
			both("", "-d", pick(r, names), table)
		case 1:
			both(pick(r, names)+"\n"+pick(r, names)+"\n", "-d", "-", table)
		case 2:
			both(fmt.Sprintf("%s v%d\n%s w%d\n", pick(r, names), n, pick(r, names), n), "-i", table)
		case 3:
			both(fmt.Sprintf("%s v%d\nnovalue\n", pick(r, names), n), "-ir", table)
		case 4:
			both(fmt.Sprintf("%s v%d\n", pick(r, names), n), "-wi", table)
		}
		both("", "-s", table)
	}
	both("x y\n", "-i", typ+":new", typ+":other")
	for _, name := range []string{"new", "other"} {
		for _, p := range []*place{ours, theirs} {
			if info, err := os.Stat(indexOf(p, filepath.Join(p.dir, name))); err != nil || info.Mode() != 0o644 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
}

// TestCommandLinesAgainstPostfix compares generated command lines.
func TestCommandLinesAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	pieces := []string{
		"-f", "-fn", "-q", "-qa", "-q=a", "-fqb", "-q-", "-", "--", "", "-d", "-da", "-s", "-v=1", "-h", "-hb", "-mq", "-c", "-Z", "-fZ",
		"-=", "-:", "-f-", "-fv--", "---", "--nosuch", "a", "b", "-a", "static:x", "inline:{a=1}", "texthash:t", "inline:{a=", "nosuch:x",
		"-u", "-U", "-uUq", "-wr", "-op", "-cd", "-t", "-test.v", "-\xff",
	}
	p := newPlace(t, "default_database_type = texthash")
	p.write("t", "a texthash-a\n")
	r := rand.New(rand.NewPCG(3, 3))
	testenv.Bin(t, "postmap")
	var group sync.WaitGroup // Postfix's program waits for a second before it ends with an error
	for range 200 {
		var args []string
		for range 1 + r.IntN(5) {
			piece := pick(r, pieces)
			if piece == "-s" && slices.Contains(args, piece) { // only 3.11 minds
				continue
			}
			args = append(args, piece)
		}
		if r.IntN(2) == 0 {
			args = append(args, "-q", "a", "inline:{a=1}")
		}
		group.Go(func() {
			want := p.theirs("a\nb\n", args...)
			got := p.ours("a\nb\n", args...)
			got.stderr, want.stderr = without(got.stderr), without(want.stderr)
			if got != want {
				t.Errorf("postmap %q:\n%+v, want\n%+v", args, got, want)
			}
		})
	}
	group.Wait()
}

// without brings messages of both releases to one form.
func without(stderr string) string {
	var kept strings.Builder
	for line := range strings.Lines(stderr) {
		if strings.Contains(line, "specify only one of") {
			line = "specify only one\n"
		}
		line, _, _ = strings.Cut(line, ". Is the postfix-")
		if typ, ok := strings.CutSuffix(line, " does not support bulk-mode creation.\n"); ok {
			line = strings.Replace(typ, "unsupported dictionary type: ", "no 'map create' support for this type: ", 1)
		}
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "unsupported map type", "unsupported dictionary type")
		kept.WriteString(strings.ReplaceAll(line, "\xff", "?") + "\n")
	}
	return kept.String()
}

// TestEnvironmentAgainstPostfix sets variables in import_environment.
func TestEnvironmentAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	p := newPlace(t, "import_environment = pm_a=one, { pm_b = two words } pm_c, HOME")
	for key, want := range map[string]string{"pm_a": "one\n", "pm_b": "two words\n", "pm_c": ""} {
		got := p.ours("", "-q", key, "environ:x")
		if got != p.theirs("", "-q", key, "environ:x") || got.stdout != want {
			t.Errorf("%s: %+v, want %q", key, got, want)
		}
	}
}

// TestFailAgainstPostfix builds what cannot be built.
func TestFailAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	for _, source := range []string{"", "a b\n", "no-value\n"} {
		p := newPlace(t)
		p.write("t", source)
		if got, want := p.ours("", "fail:t"), p.theirs("", "fail:t"); got != want {
			t.Errorf("of %q: %+v, want %+v", source, got, want)
		}
	}
}
