package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestAgainstPostfix compares our output with that of the machine's postconf, for random configurations.
func TestAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postconf, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	// Postfix's programs sleep for a second before a fatal error ends them, hence the many at a time.
	var wait sync.WaitGroup
	slots := make(chan struct{}, 64)
	for seed := range uint64(60) {
		c := generate(t, seed)
		for _, args := range liveCommands {
			wait.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				c.compare(t, postconf, append([]string{"-c", c.dir}, args...))
			})
		}
	}
	wait.Wait()
}

var liveCommands = [][]string{
	{"-xn"}, {"-x", "smtpd_banner", "max_use", "relayhost", "nosuch"}, {"-h", "u1", "u2"}, {"-Hn"}, {"-fn"},
	{"-d", "max_use", "proxymap_service_name"}, {"-C", "user"},
	{"-Mfx"}, {"-M"}, {"-P"}, {"-Px"}, {"-Ff"}, {"-M", "smtp/*"}, {"-F", "smtp/inet/command"},
	{"-P", "*/unix/max_use"}, {"-P", "smtp/inet/*"}, {"-o", "max_use=$u1", "-xh", "max_use"},
}

// configuration is a pair of random files.
type configuration struct {
	seed             uint64
	mainCF, masterCF string
	dir              string
}

func generate(t *testing.T, seed uint64) *configuration {
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	c := &configuration{seed: seed, mainCF: g.mainCF(), masterCF: g.masterCF(), dir: t.TempDir()}
	writeFile(t, c.dir, "main.cf", c.mainCF)
	writeFile(t, c.dir, "master.cf", c.masterCF)
	makeOld(t, c.dir)
	return c
}

func (c *configuration) compare(t *testing.T, postconf string, args []string) {
	want := runPostfix(t, postconf, args)
	var stdout, stderr bytes.Buffer
	got := result{Exit: run(args, &stdout, &stderr)}
	got.Stdout, got.Stderr = latin1(stdout.String()), latin1(stderr.String())
	got.Stderr, want.Stderr = oldWording(got.Stderr), oldWording(want.Stderr)
	if want.Exit != 0 { // what is said before the fatal error depends on a random order
		got.Stderr, want.Stderr = lastLine(got.Stderr), lastLine(want.Stderr)
	}
	if want.Exit == -1 && got.Exit == 1 {
		return // Postfix overflows its stack where we find the recursion
	}
	if !same(got, want) {
		t.Errorf("seed %d: postconf %q\ngot  %d %s%s\nwant %d %s%s\nmain.cf:\n%s\nmaster.cf:\n%s", c.seed, args,
			got.Exit, got.Stdout, got.Stderr, want.Exit, want.Stdout, want.Stderr, c.mainCF, c.masterCF)
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// makeOld keeps Postfix from waiting for a file that may still be changing.
func makeOld(t *testing.T, dir string) {
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"main.cf", "master.cf"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Error(err)
		}
	}
}

func runPostfix(t *testing.T, program string, args []string) result {
	cmd := exec.Command(program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
		return result{}
	}
	text := strings.ReplaceAll(stderr.String(), program+": ", "postconf: ")
	return result{Stdout: latin1(stdout.String()), Stderr: latin1(text), Exit: cmd.ProcessState.ExitCode()}
}

// What Postfix versions say differently. Undefined parameters are left out, too: that a default refers to one depends
// on the version's defaults.
var (
	newWarnings = regexp.MustCompile(`(?m)^postconf: warning: .*(#comment after other text|undefined parameter: |DEPRECATION_README|support for parameter).*\n`)
	bracePath   = regexp.MustCompile(`(?m)^postconf: warning: \S*/(main|master)\.cf(:\S+)?: `)
)

func oldWording(text latin1) latin1 {
	short := newWarnings.ReplaceAllString(string(text), "")
	return latin1(bracePath.ReplaceAllString(short, "postconf: warning: $1.cf: "))
}

func lastLine(text latin1) latin1 {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return latin1(lines[len(lines)-1])
}

// generator makes configurations that have something of everything, right and wrong.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) name() string {
	return g.pick("u1", "u2", "u3", "u4", "max_use", "relayhost", "empty", "smtpd_banner", "nosuch")
}

// text makes a value of at most the given depth of nesting.
func (g generator) text(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.word(depth))
		if g.IntN(3) == 0 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func (g generator) word(depth int) string {
	if depth == 0 {
		return g.pick("a", "17", "3", "x.y", "hash:/etc/x", "inline:{a=b}", "$$", "q,r", "é", "mysql:u9")
	}
	sub := func() string { return g.text(depth - 1) }
	switch g.IntN(16) {
	case 0, 1, 2:
		return "$" + g.name()
	case 3:
		return "${" + g.pick("", " ") + g.name() + g.pick("", " ") + "}"
	case 4:
		return "$(" + g.name() + ")"
	case 5:
		return "${" + g.name() + "?" + g.pick("a", "b c", "$u1") + "}"
	case 6:
		return "${" + g.name() + ":" + g.pick("a", "b:c", "${u2}") + "}"
	case 7:
		return "${" + g.name() + "?{" + sub() + "}}"
	case 8:
		return "${" + g.name() + g.pick("?{", " ? {", "?  {") + sub() + g.pick("}:{", "} : {") + sub() + g.pick("}}", "} }")
	case 9:
		return "${" + g.name() + ":{" + sub() + "}}"
	case 10, 11:
		op := g.pick("==", "!=", "<", "<=", ">", ">=", "<level", ">=level", "==level")
		return "${{" + g.pick("1", "9", "10", "3.6", "$u1", "$max_use") + "}" + g.pick("", " ") + op + g.pick("", " ") +
			"{" + g.pick("1", "9", "3.10", "$u2", "x") + "}" + g.pick("", "?{"+sub()+"}", " ? {"+sub()+"} : {"+sub()+"}", ":{n}") + "}"
	case 12:
		if g.IntN(6) == 0 {
			return g.pick("$", "${", "${}", "${a b}", "${{a} = {b}?{c}}", "${u1?{a}x}", "${u1?{a}:{b}c}", "$(u1}", "${u1?{a}")
		}
	}
	return g.word(0)
}

func (g generator) mainCF() string {
	var b strings.Builder
	fmt.Fprintf(&b, "compatibility_level = %s\n", g.pick("0", "2", "3.6", "3.6", "3.6"))
	b.WriteString("mynetworks = 127.0.0.0/8\nmyhostname = vm.example\nempty =\n")
	names := []string{"u1", "u2", "u3", "u4", "max_use", "relayhost", "smtpd_banner", "u9_hosts", "transport_maps"}
	for i, name := range names {
		if g.IntN(4) == 0 {
			continue
		}
		value := g.text(g.IntN(3))
		if i < 4 && g.IntN(5) > 0 {
			// Mostly without loops: u1 refers to nothing, u2 to u1 and so on.
			value = strings.NewReplacer("u4", "empty", "u3", "empty", "smtpd_banner", "empty", "relayhost", "empty",
				"max_use", "empty", "u2", "u1", "u1", "empty").Replace(value)
		}
		b.WriteString(name + g.pick(" = ", "=", " =", "\t= ") + g.pick("", "", "\n  ", "\n# comment\n ") + value + g.pick("\n", "\n", "  \n", "\r\n"))
		b.WriteString(g.pick("", "", "", "# comment\n", "\n", "   \n"))
	}
	b.WriteString(g.pick("", "", "", "", "max_use = 5\n", "process_id = 3\n", "virtual_maps = static:x\n", "no equals\n", "= x\n",
		"smtpd_restriction_classes = c1, c2\nc1 = permit\n"))
	return b.String()
}

func (g generator) masterCF() string {
	var b strings.Builder
	for range g.IntN(5) {
		columns := []string{
			g.pick("smtp", "127.0.0.1:10025", "relay", "cleanup", "a-very-long-service-name"),
			g.pick("inet", "unix", "unix", "fifo", "pass", "unix-dgram"),
			g.pick("-", "y", "n"), g.pick("-", "y", "n"), g.pick("-", "y", "n"),
			g.pick("-", "-", "0", "60", "300?"), g.pick("-", "-", "0", "1", "20"),
			g.pick("smtpd", "smtp", "pipe", "cleanup", "spawn"),
		}
		if g.IntN(20) == 0 {
			columns[g.IntN(len(columns))] = g.pick("x", "60x", "1?", "{a b}")
		}
		if g.IntN(30) == 0 {
			columns = columns[:g.IntN(len(columns))+1]
		}
		for range g.IntN(4) {
			columns = append(columns, g.pick("-v", "-D", "-o max_use="+g.pick("5", "$u1"), "-o {u2 = "+g.text(0)+" z}",
				"-ou3=x", "-vo relayhost=y", "-o", "--", "argument", "{an argument}", "flags=DRhu", "user=x", "argv=/bin/x ${y}",
				"-o {", "{a}b", "-o { u1 = $u2 $service_name }", "-o smtpd_banner=$process_name"))
		}
		b.WriteString(strings.Join(columns, g.pick(" ", "\t", "   ", "\n    ")) + "\n")
	}
	return b.String()
}
