package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// sourceWords are what generated alias files consist of.
var sourceWords = []string{
	"alice", "Bob", "bob", "ALICE", "owner-list", "root", "a.b", "carol@example.com", "@", "%", "!", ":", ": ", ":", ", ", ",", ";",
	`"`, `"x y"`, `"|/bin/cmd -x \"y\""`, "|/bin/cmd", "/var/mail/x", ":include:/etc/x", `":include:/a b"`, `\`, `\"`, `\ `, `\:`,
	"(", ")", "(comment)", "[", "]", "[192.0.2.1]", `[a\]`, "<a@b>", "<", ">", ".", "#", " ", "  ", "\t", "\n", "\n", "\n ", "\n\t", "\r\n",
	"\v", "\f", "\x01", "\x7f", "\x80", "\xc3\xa9", "\xc3\x89",
}

// source returns a generated alias file. Most lines have a name and a value, so that
// something is left to store.
func source(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(25) {
		for n := range 3 + r.IntN(12) {
			switch word := pick(r, sourceWords); {
			case n == 0:
				b.WriteString(pick(r, []string{"", "", "alice", "bob", `"Q w"`, `"@"`, "e\xcc\x81", "YP_MASTER_NAME", "(x)y", `"a:b"`, `\,`}))
			case n == 1 && r.IntN(5) > 0:
				b.WriteString(": ")
			default:
				b.WriteString(word)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// stamp is the time that a table was made. No two runs are at the same.
var stamp = regexp.MustCompile(`(?i)(YP_LAST_MODIFIED(?:": "|[^0-9]{0,2}))\d{10}`)

func undated(r ran) ran {
	r.stdout = stamp.ReplaceAllString(r.stdout, "$1*")
	// 3.11 says more.
	r.stderr = strings.ReplaceAll(r.stderr, "name must be local and have no domain", "name must be local")
	return r
}

// TestBuildAgainstPostfix makes tables from generated alias files with both
// programs, and reads each with Postfix's, and with ours.
func TestBuildAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	options := [][]string{nil, {"-n"}, {"-N"}, {"-w"}, {"-r"}, {"-f"}, {"-p"}, {"-o"}, {"-fN"}, {"-rw"}, {"-nN"}, {"-u"}}
	types := postfixTypes()
	for n := range 12 * len(types) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, uint64(n)))
			setting := "smtputf8_enable = " + pick(r, []string{"yes", "no"})
			ours, theirs := newPlace(t, setting), newPlace(t, setting)
			text := source(r)
			ours.write("src", text)
			theirs.write("src", text)
			typ := types[n%len(types)]
			args := append(slices.Clone(options[r.IntN(len(options))]), typ+":src")
			got, want := undated(ours.ours("", args...)), undated(theirs.theirs("", "postalias", args...))
			if got != want {
				t.Errorf("postalias %q of %q:\n%+v, want\n%+v", args, text, got, want)
			}
			if want.exit != 0 { // an empty key in LMDB
				return
			}
			if typ == "cdb" {
				a, b := stamp.ReplaceAll(ours.read("src.cdb"), []byte("$1*")), stamp.ReplaceAll(theirs.read("src.cdb"), []byte("$1*"))
				if !bytes.Equal(a, b) {
					t.Errorf("postalias %q of %q: the files differ", args, text)
				}
			}
			crossRead(t, ours, theirs, typ, text, r)
		})
	}
}

// crossRead reads the tables that both programs have made with both.
func crossRead(t *testing.T, ours, theirs *place, typ, text string, r *rand.Rand) {
	t.Helper()
	var keys strings.Builder
	fmt.Fprint(&keys, "yp_master_name\nYP_MASTER_NAME\nYP_LAST_MODIFIED\n@\nalice\nAlice\nQ w\n,\na:b\n")
	for line := range strings.Lines(text) {
		// Postfix ends when it looks up an empty key in LMDB.
		if name, _, _ := strings.Cut(strings.Trim(line, "\n"), ":"); name != "" {
			keys.WriteString(name + "\n")
		}
	}
	read := [][]string{{"-q", "-"}, {"-f", "-q", "-"}, {"-fN", "-q", "-"}, {"-fn", "-q", "-"}}
	read = [][]string{read[r.IntN(4)], {"-s"}}
	if typ == "cdb" { // 3.7 cannot list it
		read = read[:1]
	}
	for _, args := range read {
		args = append(slices.Clone(args), typ+":src")
		want := undated(theirs.theirs(keys.String(), "postalias", args...))
		for i, got := range []ran{
			ours.ours(keys.String(), args...), ours.theirs(keys.String(), "postalias", args...), theirs.ours(keys.String(), args...),
		} {
			if undated(got) != want {
				t.Errorf("%d: postalias %q of %q: %+v, want %+v", i, args, text, got, want)
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
	names := []string{"a", "b", "C", "c", `"d d"`, "e@x", "@", "YP_MASTER_NAME"}
	both := func(stdin string, args ...string) {
		t.Helper()
		if got, want := undated(ours.ours(stdin, args...)), undated(theirs.theirs(stdin, "postalias", args...)); got != want {
			t.Errorf("postalias %q < %q: %+v, want %+v", args, stdin, got, want)
		}
	}
	table := typ + ":t"
	for _, p := range []*place{ours, theirs} {
		p.write("t", "a: first\nC: third\n")
	}
	if r.IntN(2) == 0 {
		both("", table)
	}
	for n := range 30 {
		switch r.IntN(6) {
		case 0:
			both("", "-d", pick(r, names), table)
		case 1:
			both(pick(r, names)+"\n"+pick(r, names)+"\n", "-d", "-", table)
		case 2:
			both(fmt.Sprintf("%s: v%d\n%s:w%d\n", pick(r, names), n, pick(r, names), n), "-i", table)
		case 3:
			both(fmt.Sprintf("%s: v%d\nnovalue\n", pick(r, names), n), "-ir", table)
		case 4:
			both(fmt.Sprintf("%s: v%d\n", pick(r, names), n), "-wi", table)
		case 5:
			both("", "-fi", table)
		}
		both("", "-s", table)
	}
	both("x: y\n", "-i", typ+":new", typ+":other")
	both("", "-s", typ+":new")
	both("", "-s", typ+":other")
}

// TestCommandLinesAgainstPostfix compares generated command lines.
func TestCommandLinesAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	pieces := []string{
		"-f", "-fn", "-q", "-qa", "-q=a", "-fqb", "-q-", "-", "--", "", "-d", "-da", "-s", "-h", "-b", "-c", "-Z", "-fZ", "-F", "-m", "-U",
		"-=", "-:", "-f-", "---", "--nosuch", "a", "b", "-a", "static:x", "inline:{a=1}", "texthash:t", "inline:{a=", "nosuch:x",
		"-u", "-wr", "-op", "-cd", "-\xff", "fail:x",
	}
	p := newPlace(t, "default_database_type = texthash", "alias_database = nosuch:x")
	p.write("t", "a texthash-a\n")
	r := rand.New(rand.NewPCG(3, 3))
	testenv.Bin(t, "postalias")
	var group sync.WaitGroup // Postfix's program waits for a second before it ends with an error
	for range 150 {
		var args []string
		for range 1 + r.IntN(5) {
			if piece := pick(r, pieces); piece != "-s" || !slices.Contains(args, piece) { // only 3.11 minds
				args = append(args, piece)
			}
		}
		if r.IntN(2) == 0 {
			args = append(args, "-q", "a", "inline:{a=1}")
		}
		args = append(args, "static:last") // without operands ours does what newaliases does
		group.Go(func() {
			want, got := alike(p.theirs("a\nb\n", "postalias", args...)), alike(p.ours("a\nb\n", args...))
			if got != want {
				t.Errorf("postalias %q:\n%+v, want\n%+v", args, got, want)
			}
		})
	}
	group.Wait()
}

// alike brings messages of both releases to one form.
func alike(r ran) ran {
	var kept strings.Builder
	for line := range strings.Lines(r.stderr) {
		if strings.Contains(line, "specify only one of") {
			line = "specify only one\n"
		}
		line, _, _ = strings.Cut(strings.TrimSuffix(line, "\n"), ". Is the postfix-")
		for _, form := range []string{"unsupported map type for this operation", "unsupported map type", "no 'map create' support for this type"} {
			line = strings.ReplaceAll(line, form, "unsupported dictionary type")
		}
		line = strings.TrimSuffix(line, " does not support bulk-mode creation.")
		kept.WriteString(strings.ReplaceAll(line, "\xff", "?") + "\n")
	}
	r.stderr = kept.String()
	return r
}

// TestNewaliases: local(8)'s way of asking finds what newaliases(1) of ours made.
func TestNewaliases(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	for _, typ := range postfixTypes() {
		p := newPlace(t, "alias_database = "+typ+":aliases")
		p.write("aliases", aliases)
		p.succeed("")
		ours := undated(p.theirs("", "postmap", "-q", "two words", typ+":aliases"))
		if ours != (ran{stdout: "/var/mail/two\n"}) {
			t.Errorf("%s: %+v", typ, ours)
		}
		index, err := filepath.Glob(filepath.Join(p.dir, "aliases.*"))
		if err != nil || len(index) != 1 {
			t.Fatalf("%s: %q, %v", typ, index, err)
		}
		if err := os.Remove(index[0]); err != nil {
			t.Fatal(err)
		}
		if r := p.theirs("", "newaliases"); r.exit != 0 {
			t.Fatalf("newaliases: %+v", r)
		}
		if theirs := p.theirs("", "postmap", "-q", "two words", typ+":aliases"); theirs != ours {
			t.Errorf("%s: %+v after newaliases(1), want %+v", typ, theirs, ours)
		}
	}
}

// TestFailAgainstPostfix: the type fail: fails as a table of Postfix does.
func TestFailAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	t.Parallel()
	p := newPlace(t)
	p.write("t", "a: b\n")
	for _, args := range [][]string{{"-q", "x"}, {"-q", "-"}, {"-d", "x"}, {"-d", "-"}, {"-s"}, {"-i"}, nil} {
		args = append(args, "fail:t")
		if got, want := p.ours("a: b\n", args...), p.theirs("a: b\n", "postalias", args...); got != want {
			t.Errorf("postalias %q: %+v, want %+v", args, got, want)
		}
	}
}
