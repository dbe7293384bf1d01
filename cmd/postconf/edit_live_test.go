package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestEditAgainstPostfix compares what an edit leaves in the files with what the machine's postconf leaves there, for
// random files and commands.
func TestEditAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	postconf, err := testenv.LookProgram("postconf")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var count edits
	slots := make(chan struct{}, 64)
	for seed := range uint64(600) {
		g := editGenerator{generator{rand.New(rand.NewPCG(seed, 1))}}
		c := &editCase{seed: seed, main: g.main(), master: g.master(), args: g.command()}
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c.compare(t, postconf, &count)
		})
	}
	wait.Wait()
	if count.changed < 200 || count.refused < 50 || count.warned < 20 {
		t.Errorf("the commands are one-sided: %d changed a file, %d were refused, %d got a warning",
			count.changed, count.refused, count.warned)
	}
}

// edits counts what the random commands did.
type edits struct {
	sync.Mutex
	changed, refused, warned int
}

// editCase is an edit of a pair of files.
type editCase struct {
	seed         uint64
	main, master string
	args         []string
}

// edited is what an edit did.
type edited struct {
	result
	main, master string
}

func (c *editCase) compare(t *testing.T, postconf string, count *edits) {
	want := c.edit(t, func(args []string) result { return runPostfix(t, postconf, args) })
	got := c.edit(t, func(args []string) result {
		var stdout, stderr bytes.Buffer
		exit := run(args, &stdout, &stderr)
		return result{Exit: exit, Stdout: latin1(stdout.String()), Stderr: latin1(stderr.String())}
	})
	count.Lock()
	defer count.Unlock()
	if want.Exit != 0 {
		count.refused++
	}
	if strings.Contains(string(want.Stderr), "warning") {
		count.warned++
	}
	if want.main != c.main || want.master != c.master {
		count.changed++
	}
	if !same(got.result, want.result) || got.main != want.main || got.master != want.master {
		t.Errorf("seed %d: postconf %q\nmain.cf:\n%s\nmaster.cf:\n%s\ngot  %d %s%s%s\n%s\nwant %d %s%s%s\n%s", c.seed, c.args,
			c.main, c.master, got.Exit, got.Stdout, got.Stderr, got.main, got.master,
			want.Exit, want.Stdout, want.Stderr, want.main, want.master)
	}
}

// lineNumber is masked: Postfix does not count continuation lines of entries that it has changed.
var lineNumber = regexp.MustCompile(`: line \d+: `)

func (c *editCase) edit(t *testing.T, postconf func(args []string) result) edited {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Error(err)
	}
	writeFile(t, dir, "main.cf", c.main)
	writeFile(t, dir, "master.cf", c.master)
	e := edited{result: postconf(append([]string{"-c", dir}, c.args...))}
	text := strings.ReplaceAll(string(e.Stderr), dir, "@DIR@")
	e.Stderr = oldWording(latin1(lineNumber.ReplaceAllString(text, ": line N: ")))
	e.main, e.master = readText(t, dir, "main.cf"), readText(t, dir, "master.cf")
	return e
}

func readText(t *testing.T, dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// editGenerator makes files with comments, empty lines and continuation lines in all places, and edits of them. It
// leaves out what Postfix 3.7 does differently from 3.11: a last line without newline, the order of several new
// parameters, and the warning about the same request given twice.
type editGenerator struct{ generator }

var editedParameters = []string{"p1", "p2", "max_use", "relay_domains"}

// filler makes lines that are to be kept.
func (g editGenerator) filler() string {
	return g.pick("", "", "", "\n", "# comment\n", "  # indented = comment\n", " \t\n", "#p1 = old\n", "\r\n", "\v\n")
}

// more makes continuation lines.
func (g editGenerator) more() string {
	return g.pick("", "", "", "  more\n", "\tmore = p1\n", "\n  more\n", "# comment\n  more\n # comment\n\tstill more\n", "\r more\n")
}

func (g editGenerator) main() string {
	var b strings.Builder
	b.WriteString(g.pick("", "", "", "  text before the first entry\n") + g.filler())
	for _, i := range g.Perm(len(editedParameters) + 2) {
		name := g.pick("other", "p11", "p", "P1", "=p1", "p3", "p1", "p1\v")
		if i < len(editedParameters) {
			name = editedParameters[i]
		}
		b.WriteString(name + g.pick(" = ", "=", " =", "\t= ", " ") + g.text(0) + g.pick("\n", "  \n", "\r\n"))
		b.WriteString(g.more() + g.filler())
	}
	return b.String()
}

func (g editGenerator) serviceName() string {
	return g.pick("smtp", "smtp", "127.0.0.1:10025", "relay", "cleanup", "a-very-long-service-name")
}

func (g editGenerator) serviceType() string { return g.pick("inet", "unix", "unix", "fifo", "pass") }

// column makes the value of a column of master.cf.
func (g editGenerator) column(i int) string {
	if g.IntN(40) == 0 {
		return g.pick("x", "60x", "1?", "{a b}", "unix-dgram")
	}
	switch i {
	case 0:
		return g.serviceName()
	case columnType:
		return g.serviceType()
	case columnWakeup:
		return g.pick("-", "-", "0", "60", "300?")
	case columnMaxProc:
		return g.pick("-", "-", "0", "1", "20")
	case columnCommand:
		return g.pick("smtpd", "smtp", "pipe", "cleanup", "spawn")
	}
	return g.pick("-", "y", "n")
}

// entry makes an entry of master.cf, whose columns are separated by one of those given.
func (g editGenerator) entry(separators ...string) string {
	var columns []string
	for i := range minColumns {
		columns = append(columns, g.column(i))
	}
	if g.IntN(40) == 0 {
		columns = columns[:1+g.IntN(minColumns-1)]
	}
	return strings.Join(append(columns, g.arguments()...), g.pick(separators...))
}

func (g editGenerator) arguments() (list []string) {
	for range g.IntN(5) {
		list = append(list, g.pick("-v", "-D", "-o max_use="+g.pick("5", "$u1"), "-o max_use=1", "-o {u2 = "+g.text(0)+" z}",
			"-ou3=x", "-vo relayhost=y", "-o", "--", "argument", "{an argument}", "flags=DRhu", "user=x", "argv=/bin/x ${y}",
			"-o {", "{a}b", "-o { u1 = $u2 $service_name }", "-o smtpd_banner=$process_name", "-oSx=y"))
	}
	return list
}

func (g editGenerator) master() string {
	var b strings.Builder
	b.WriteString(g.pick("", "", "", "", "  text before the first entry\n") + g.filler())
	for range g.IntN(6) {
		b.WriteString(g.entry(" ", "\t", "   ", "       ") + "\n")
		for range g.IntN(3) {
			b.WriteString(g.filler() + g.pick("", "  -o max_use=7\n", "\t-o u1=a -v\n", "    -o { u2 = a b }\n", " argument\n", "  # -o u1=1\n"))
		}
		b.WriteString(g.filler())
	}
	b.WriteString(g.pick("", "", "", "", "", "", "", "smtp\n", "smtp\n inet n - n - - smtpd\n", "a=b inet n - n - - smtpd\n",
		"smtp i/t n - n - - smtpd\n", "smtp inet n -\n"))
	return b.String()
}

// command makes an edit.
func (g editGenerator) command() []string {
	mode := g.pick("-e", "-X", "-#", "-Me", "-MX", "-M#", "-Fe", "-Pe", "-PX")
	args := []string{mode}
	if strings.HasSuffix(mode, "e") && g.IntN(3) == 0 {
		args[0] = strings.TrimSuffix("-p"+mode[1:], "e") // -e is implied
	}
	for _, target := range g.targets(mode) {
		fresh := target == "new"
		if strings.HasSuffix(mode, "e") {
			target += g.pick("=", " = ", "=  ", "\t=") + g.value(mode, target)
		}
		if !fresh && g.IntN(25) == 0 {
			target = g.pick("", " ", "# x=y", "x", "x=y", "=y", "a/b", "a/b/c", "a/b/c=d", "*/*", "*/*/*", "*/*/*=x", "a*/b=c", "a\nb=c",
				"/a/b=c", "a/b/c/d=e", "smtp/unix/nosuch=x", "smtp//unix=x", " smtp/unix/chroot = y ", "smtp/unix/max_use=a b")
		}
		args = append(args, target)
	}
	return args
}

// targets returns different things to edit.
func (g editGenerator) targets(mode string) []string {
	service := func() string { return g.pick("*", g.serviceName()) + "/" + g.pick("*", g.serviceType()) }
	pattern := func() string {
		switch mode[1] {
		case 'M':
			return g.pick(g.serviceName(), g.serviceName(), g.serviceName(), "*") + "/" + g.serviceType()
		case 'F':
			return service() + "/" + g.pick(columnNames...)
		case 'P':
			return service() + "/" + g.pick("max_use", "u1", "u2", "u3", "S", "relayhost")
		}
		return g.pick(editedParameters...)
	}
	list := []string{pattern()}
	if g.IntN(3) == 0 {
		if next := pattern(); next != list[0] {
			list = append(list, next)
		}
	}
	if mode == "-e" && g.IntN(3) == 0 {
		list = []string{"new"}
	}
	return list
}

func (g editGenerator) value(mode, target string) string {
	switch mode {
	case "-Me":
		return g.entry(" ", "   ")
	case "-Fe":
		for i, name := range columnNames {
			if !strings.HasSuffix(target, "/"+name) {
				continue
			}
			if i == columnCommand {
				return strings.Join(append([]string{g.column(i)}, g.arguments()...), " ")
			}
			return g.column(i)
		}
	case "-Pe":
		return g.pick("1", "$u1", "", "a,b", "x=y", "{z}")
	}
	return g.pick("", "v", "a  b ", "$p1 = x", "é", "{ x }", "#v")
}
