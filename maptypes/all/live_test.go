package all_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// postmapFlags are the flags that postmap(1) opens tables with.
const postmapFlags = maptypes.FlagDupWarn | maptypes.FlagFoldFix | maptypes.FlagUTF8Request

// live compares our drivers with Postfix's postmap(1) on the same tables.
type live struct {
	t    *testing.T
	dir  string // holds main.cf and the tables
	env  *maptypes.Env
	rand *rand.Rand
	log  []string
}

// newLive returns a comparison without UTF-8 mode, in which the installed
// version of Postfix may differ from the one that is our model.
func newLive(t *testing.T) *live {
	testenv.Require(t, testenv.Postfix)
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &live{t: t, dir: dir, rand: rand.New(rand.NewPCG(1, 2))}
	l.env = &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...),
		Infof:    func(string, ...any) {},
		Errorf:   func(format string, args ...any) { t.Errorf(format, args...) },
		Warnf: func(format string, args ...any) {
			l.log = append(l.log, "warning: "+fmt.Sprintf(format, args...))
		},
	}
	l.write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = no\n")
	return l
}

// write creates a file that is old enough for Postfix to read it at once.
func (l *live) write(name, content string) (path string) {
	path = filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		l.t.Fatal(err)
	}
	old := time.Now().Add(-100 * time.Second)
	if err := os.Chtimes(path, old, old); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// postmap runs Postfix's program and returns its output, without its name in
// front of the log lines.
func (l *live) postmap(stdin string, args ...string) (stdout string, log []string) {
	cmd := exec.Command("postmap", append([]string{"-c", l.dir}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(stderr.String()) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "postmap: ")
		// What postmap itself thinks of an empty value is its own affair.
		if !strings.HasSuffix(line, "empty string result is not allowed") && !strings.HasSuffix(line, "should return NO RESULT in case of NOT FOUND") {
			log = append(log, line)
		}
	}
	return out.String(), log
}

// query looks all keys up with our driver and returns what `postmap -q -` would
// print.
func (l *live) query(spec string, keys []string) (stdout string, log []string) {
	l.log = nil
	h, err := l.env.Registry.Open(l.env, spec, maptypes.ReadOnly, postmapFlags)
	if err != nil {
		return "", append(l.log, "fatal: "+err.Error())
	}
	defer h.Close()
	var out strings.Builder
	r := &maptypes.Request{}
	for _, key := range keys {
		r.Key, r.Flags = []byte(key), h.Flags()
		value, err := h.Lookup(context.Background(), r)
		switch maptypes.Class(err) {
		case nil:
			fmt.Fprintf(&out, "%s\t%s\n", key, value)
		case maptypes.ErrNotFound:
		default:
			return out.String(), append(l.log, "fatal: table "+spec+": query error: Application error")
		}
	}
	return out.String(), l.log
}

// question is a table and what is looked up in it.
type question struct {
	spec string
	keys []string
}

// compare looks keys up with both programs. Postfix's are run side by side: each
// waits for a second before it ends with an error.
func (l *live) compare(questions ...question) {
	l.t.Helper()
	type result struct {
		out string
		log []string
	}
	results := make([]result, len(questions))
	var wait sync.WaitGroup
	turns := make(chan struct{}, 32)
	for i, q := range questions {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			results[i].out, results[i].log = l.postmap(strings.Join(q.keys, "\n")+"\n", "-q", "-", q.spec)
		})
	}
	wait.Wait()
	for i, q := range questions {
		got, gotLog := l.query(q.spec, q.keys)
		if got != results[i].out {
			l.t.Errorf("%q: got\n%swant\n%s", q.spec, got, results[i].out)
		}
		for i, line := range gotLog {
			gotLog[i] = masked(line)
		}
		if !slices.Equal(gotLog, results[i].log) {
			l.t.Errorf("%q: logged\n%s\nwant\n%s", q.spec, strings.Join(gotLog, "\n"), strings.Join(results[i].log, "\n"))
		}
	}
}

// masked is how a log line is written without UTF-8 mode.
func masked(line string) string {
	b := []byte(line)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// text returns random text over an alphabet.
func (l *live) text(alphabet string, most int) string {
	b := make([]byte, l.rand.IntN(most+1))
	for i := range b {
		b[i] = alphabet[l.rand.IntN(len(alphabet))]
	}
	return string(b)
}

func TestTexthashAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	var questions []question
	for i := range 100 {
		text := l.text("aAbB \t\n\n\"\\:#=,.\r\v\xc3\xa4", 120)
		path := l.write(fmt.Sprintf("t%d", i), text)
		keys := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ' ' || r == '\t' })
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if n := l.rand.IntN(len(line) + 1); n > 0 {
				keys = append(keys, line[:n])
			}
		}
		questions = append(questions, question{"texthash:" + path, keys})
	}
	l.compare(questions...)
	l.compare(question{"texthash:" + l.dir, []string{"a"}}, question{"texthash:" + l.dir + "/none", []string{"a"}})
}

func TestTexthashSequenceAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	path := l.write("t", "b 1\na 2\nC 3\n\"x y\" 4\nb 5\nd\n  6\n")
	want, _ := l.postmap("", "-s", "texthash:"+path)
	h, err := l.env.Registry.Open(l.env, "texthash:"+path, maptypes.ReadOnly, postmapFlags)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var got []string
	var c maptypes.Cursor
	r := &maptypes.Request{}
	for {
		key, value, err := h.Sequence(context.Background(), r, &c)
		if err == maptypes.ErrNotFound {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s\t%s\n", key, value))
	}
	if order := []string{"b\t1\n", "a\t2\n", "c\t3\n", "\"x y\"\t4\n", "d\t6\n"}; !slices.Equal(got, order) {
		t.Errorf("entries %q, want the order of the file %q", got, order)
	}
	all := slices.Collect(strings.Lines(want))
	slices.Sort(all)
	slices.Sort(got)
	if !slices.Equal(got, all) {
		t.Errorf("entries %q, want %q", got, all)
	}
}

func TestInlineAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	keys := []string{"a", "b", "A", "B", "ab", "aa", "bb", "ba", "\"a\"", "\\a", "{a", "a}", "", "\"a b\"", "c"}
	var questions []question
	for range 150 {
		questions = append(questions, question{"inline:{" + l.text("abAB==,, {{}}\"\\\t", 24) + "}", keys})
	}
	for _, name := range []string{"{=x}", "{ = x}", "{a=}", "{a=b}c", "{{ a = b c }, b=c}", "{a=1,a=2}", "{{a=b}{c=d}}", "{\n}", "{a=b,}", "a=b", "{", "{a = b}", "{\"a b\"=c}"} {
		questions = append(questions, question{"inline:" + name, keys})
	}
	l.compare(questions...)
}

func TestStaticAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	var questions []question
	for range 100 {
		questions = append(questions, question{"static:" + l.text("ab {}\t,:", 9) + "x", []string{"x", "", "A b"}},
			question{"static:{" + l.text("ab {}\t,:", 9) + "}", []string{"x", "", "A b"}})
	}
	l.compare(questions...)
}

func TestUnixAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	questions := []question{{"unix:nosuch", []string{"root"}}}
	for db, file := range map[string]string{"passwd.byname": "/etc/passwd", "group.byname": "/etc/group"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		keys := []string{"no-such-name", "", "root", "ROOT", "0", "root:x"}
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(line, ":")
			keys = append(keys, name)
		}
		questions = append(questions, question{"unix:" + db, keys})
	}
	l.compare(questions...)
}

func TestCompositesAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	path := l.write("t", "a b\nb c, d\nc a\nupper A\n")
	keys := []string{"a", "A", "b", "c", "d", "upper", "none", ""}
	members := []string{
		"texthash:" + path, "texthash:" + path, "static:a", "static:{}", "inline:{a=b,b=c}", "inline:{{c = a b}, {d = }}",
		"fail:x", "unix:passwd.byname", "randmap:{a}", "unionmap:{static:a,inline:{b=c}}", "pipemap:{static:a,inline:{a=c}}",
		"nosuch:x", "a:", ":b", "inline:{a}",
	}
	var questions []question
	for range 120 {
		var list []string
		for range l.rand.IntN(4) {
			list = append(list, members[l.rand.IntN(len(members))])
		}
		separator := []string{",", " ", ", ", " ,\t"}[l.rand.IntN(4)]
		typ := []string{"unionmap", "pipemap"}[l.rand.IntN(2)]
		questions = append(questions, question{typ + ":{" + strings.Join(list, separator) + "}", keys})
	}
	for _, spec := range []string{
		"unionmap:x", "unionmap:{x}", "pipemap:{", "pipemap:{static:a}x", "randmap:{}", "randmap:x", "randmap:{ , }", "randmap:{{a b}}", "randmap:{a}b", "fail:x",
	} {
		questions = append(questions, question{spec, keys})
	}
	l.compare(questions...)
}

func TestFilesAsValuesAgainstPostfix(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	one := l.write("one", "first\n")
	two := l.write("two", "second")
	table := l.write("t", "a "+one+"\nb "+one+", "+two+"\nc "+l.dir+"/none\nd "+l.dir+"\n")
	for _, spec := range []string{"texthash:" + table, "inline:{{a=" + one + "}, {b = " + one + "," + two + "}}", "static:{" + two + " " + one + "}"} {
		want, _ := l.postmap("a\nb\nc\nd\n", "-F", "-q", "-", spec)
		h, err := l.env.Registry.Open(l.env, spec, maptypes.ReadOnly, postmapFlags|maptypes.FlagSrcRHSIsFile)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		got := ""
		for _, key := range []string{"a", "b", "c", "d"} {
			r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
			if value, err := h.Lookup(context.Background(), r); err == nil {
				got += key + "\t" + decodeBase64(t, value) + "\n"
			}
		}
		if got != want || got == "" {
			t.Errorf("%s: got %q, want %q", spec, got, want)
		}
	}
}

func decodeBase64(t *testing.T, value []byte) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
