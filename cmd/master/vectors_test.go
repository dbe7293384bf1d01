package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// record is a line of mastercf.jsonl: see testdata/vectors/README.md.
type record struct {
	Name    string
	Files   map[string]string
	Result  *result
	Results map[string]*result
}

type result struct {
	Master struct {
		Exit    int
		Log     []string
		Sockets []string
	}
}

// newer is the result of the Postfix version that ours follows.
func (r *record) newer() *result {
	if r.Result != nil {
		return r.Result
	}
	return r.Results["3.11.4"]
}

// differences on purpose, by the name of the record without its number: what
// ours logs where Postfix logs something else.
var differences = map[string]string{
	// Postfix makes the socket with the rights of mail_owner, and still has
	// them when it wants to write the reason for its end to the log.
	"service-with-slash": `^fatal: bind: private/\S+: No such file or directory$`,
	"service-with-dots":  `^fatal: bind: private/\.\./\S+: Permission denied$`,
}

func TestRecordedMasterFiles(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "testdata/vectors/mastercf.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(testenv.Bin(t, "master"), "master")
	var records []*record
	for line := range strings.Lines(string(text)) {
		r := &record{}
		if err := json.Unmarshal([]byte(line), r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if len(records) < 50 {
		t.Fatalf("only %d records", len(records))
	}
	// Each takes a second, in which it only waits: they run side by side.
	outcomes := make([]*outcome, len(records))
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, r := range records {
		outcomes[i] = &outcome{instance: postfixtest.New(t)}
		outcomes[i].prepare(r)
		all.Go(func() {
			slots <- struct{}{}
			outcomes[i].run(program)
			<-slots
		})
	}
	all.Wait()
	for i, r := range records {
		t.Run(r.Name, func(t *testing.T) { outcomes[i].compare(t, r) })
	}
}

// outcome is what our master does with a record.
type outcome struct {
	instance *postfixtest.Instance
	exit     int
	output   string
}

func (o *outcome) replace(text string) string {
	i := o.instance
	return strings.NewReplacer("@DIR@", i.Conf, "@QUEUE@", i.Queue, "@DATA@", i.Data,
		"@DAEMON@", i.Daemons, "@LOG@", i.LogFile).Replace(text)
}

func (o *outcome) prepare(r *record) {
	for name, content := range r.Files {
		// In these files, one character stands for one byte.
		var raw []byte
		for _, c := range content {
			raw = append(raw, byte(c))
		}
		text := o.replace(string(raw))
		if name == "main.cf" {
			text += "maillog_file_prefixes = " + o.instance.Dir + "\n"
		}
		o.instance.WriteFile(filepath.Join(o.instance.Conf, name), text)
	}
}

func (o *outcome) run(program string) {
	cmd := exec.Command(program, "-c", o.instance.Conf, "-e", "1")
	out, _ := cmd.CombinedOutput() // the exit status is in ProcessState
	o.exit, o.output = cmd.ProcessState.ExitCode(), string(out)
}

var masterLine = regexp.MustCompile(`(?m)^.* postfix/master\[\d+\]: ((?:warning|error|fatal|panic): .*)$`)

func (o *outcome) compare(t *testing.T, r *record) {
	want := r.newer().Master
	if o.exit != want.Exit {
		t.Errorf("exit status %d, want %d; output %s", o.exit, want.Exit, o.output)
	}
	var log []string
	for _, m := range masterLine.FindAllStringSubmatch(o.instance.Log(), -1) {
		log = append(log, m[1])
	}
	name, _, _ := strings.Cut(r.Name, "/")
	if pattern, ok := differences[name]; ok && len(want.Log) == 0 {
		if len(log) != 1 || !regexp.MustCompile(pattern).MatchString(log[0]) {
			t.Errorf("log %q, want one line like %s", log, pattern)
		}
	} else {
		wanted := make([]string, 0, len(want.Log))
		for _, line := range want.Log {
			wanted = append(wanted, o.replace(line))
		}
		if !slices.Equal(log, wanted) {
			t.Errorf("log\n%q, want\n%q", log, wanted)
		}
	}
	if got := o.sockets(t); !slices.Equal(got, want.Sockets) {
		t.Errorf("sockets %q, want %q", got, want.Sockets)
	}
}

// sockets lists what is in private/ and public/ as the records do, in order.
func (o *outcome) sockets(t *testing.T) []string {
	var list []string
	for _, dir := range []string{"private", "public"} {
		entries, err := os.ReadDir(filepath.Join(o.instance.Queue, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			kind := map[fs.FileMode]string{fs.ModeSocket: "socket", fs.ModeNamedPipe: "fifo"}[info.Mode().Type()]
			// Names in the records are strings of bytes.
			var name strings.Builder
			for _, b := range []byte(e.Name()) {
				name.WriteRune(rune(b))
			}
			list = append(list, fmt.Sprintf("%s/%s %s %o", dir, name.String(), kind, info.Mode().Perm()))
		}
	}
	return list
}
