package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// onPurpose are the differences from Postfix 3.11.4 that are meant, by record: why,
// and what is expected instead.
var onPurpose = map[string]struct {
	reason string
	change func(*result)
}{
	"directory-as-source": {
		"Postfix takes a source that cannot be read for an empty one; ours leaves the old table",
		func(r *result) {
			r.Stderr, r.Exit, r.Created = "postmap: fatal: read @DIR@/sub: Is a directory\n", 1, nil
		},
	},
	"large-key-create": {
		"Postfix gives up with a table that is empty or cut off; ours leaves the old one",
		func(r *result) { r.Created = nil },
	},
}

// TestRecordedRuns replays the recorded runs of Postfix's postmap.
func TestRecordedRuns(t *testing.T) {
	postmap := filepath.Join(testenv.Bin(t, "postmap"), "postmap")
	w := &waiting{drivers: map[string]maptypes.Driver{}, records: map[string]int{}}
	for _, d := range all.Drivers() {
		w.drivers[d.Type] = d
	}
	t.Cleanup(func() { w.report(t) })
	for _, r := range readRecords(t) {
		t.Run(r.Name, func(t *testing.T) {
			t.Parallel()
			if r.NeedsProxymap {
				replayWithServer(t, r, postmap, w)
				return
			}
			replay(t, r, postmap, w)
		})
	}
}

// waiting counts the records that need a map type that is not built yet, or that
// this build can only read.
type waiting struct {
	drivers map[string]maptypes.Driver
	sync.Mutex
	records map[string]int
}

var unavailable = []*regexp.Regexp{
	regexp.MustCompile(`unsupported (?:dictionary|map) type: (\w+)`),
	regexp.MustCompile(`'(\w+):\S*' is not available for this build`),
}

// explains reports whether the reason for a message is a type that this build
// does not have, or has for reading only.
func (w *waiting) explains(messages string) bool {
	for _, pattern := range unavailable {
		m := pattern.FindStringSubmatch(messages)
		if m == nil {
			continue
		}
		d, ok := w.drivers[m[1]]
		if ok && d.LeftOut == "" && (d.Create == nil || slices.Contains(builtTypes(), d.Type)) {
			continue
		}
		w.Lock()
		defer w.Unlock()
		w.records[m[1]]++
		return true
	}
	return false
}

func (w *waiting) report(t *testing.T) {
	for typ, n := range w.records {
		t.Logf("types not built yet, or for reading only: %s, which %d records need", typ, n)
	}
}

// scene is where a record is replayed.
type scene struct {
	*testing.T
	*record
	postmap string
	dir     string
	env     []string
}

// replay replays a record that needs no server.
func replay(t *testing.T, r *record, postmap string, w *waiting) {
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := t.TempDir()
	settings := "compatibility_level = 3.11\nqueue_directory = " + conf + "/q\ndata_directory = " + conf + "/d\n"
	for name, value := range r.Main {
		settings += name + " = " + strings.ReplaceAll(value, "@DIR@", dir) + "\n"
	}
	if err := os.WriteFile(filepath.Join(conf, "main.cf"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &scene{T: t, record: r, postmap: postmap, dir: dir, env: append(environ(conf), "LANG=C")}
	s.writeFiles()
	messages := s.setUp()
	before := listing(t, dir)
	stdout, stderr, exit := s.run(r.Argv, r.text(r.Stdin))
	if difference, ok := onPurpose[r.plain()]; ok {
		t.Logf("differs on purpose: %s", difference.reason)
		difference.change(r.want())
	}
	if problems := s.compare(stdout, stderr, exit, before); problems != "" && !w.explains(messages+stderr) {
		t.Error(problems)
	}
}

func (s *scene) writeFiles() {
	s.Helper()
	old := time.Now().Add(-100 * time.Second)
	for name, content := range s.Files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(s.text(content), "@DIR@", s.dir)), 0o644); err != nil {
			s.Fatal(err)
		}
		var mode fs.FileMode = 0o644
		if text, ok := s.Modes[name]; ok {
			if _, err := fmt.Sscanf(text, "%o", &mode); err != nil {
				s.Fatal(err)
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			s.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			s.Fatal(err)
		}
	}
}

// setUp runs what goes before the recorded command, and returns what it wrote to
// standard error.
func (s *scene) setUp() string {
	s.Helper()
	var messages string
	for i, argv := range s.Setup {
		_, stderr, _ := s.run(argv, s.text(s.SetupStdin[fmt.Sprint(i)]))
		messages += stderr
	}
	switch s.AfterSetup {
	case "":
	case "the source file is removed":
		for name := range s.Files {
			os.Remove(filepath.Join(s.dir, name))
		}
	case "the source file is given a modification time 150 s in the past and the index one 300 s in the past":
		for name := range listing(s.T, s.dir) {
			age := 300 * time.Second
			if _, isSource := s.Files[name]; isSource {
				age = 150 * time.Second
			}
			then := time.Now().Add(-age)
			if err := os.Chtimes(filepath.Join(s.dir, name), then, then); err != nil {
				s.Fatal(err)
			}
		}
	default:
		s.Fatalf("unknown step after the set-up: %s", s.AfterSetup)
	}
	return messages
}

// run runs our postmap.
func (s *scene) run(argv []any, stdin string) (stdout, stderr string, exit int) {
	s.Helper()
	list := words(s.T, argv, s.dir)
	if list[0] != "postmap" {
		s.Fatalf("unknown command: %q", list)
	}
	var out, messages bytes.Buffer
	cmd := exec.Command(s.postmap, list[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &messages
	if err := cmd.Run(); err != nil && (cmd.ProcessState == nil || !cmd.ProcessState.Exited()) {
		s.Fatalf("%q: %v", list, err)
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

// compare returns how a run differs from the recorded one.
func (s *scene) compare(stdout, stderr string, exit int, before map[string]string) string {
	s.Helper()
	var problems strings.Builder
	want := s.want()
	wantOut := strings.ReplaceAll(s.text(want.Stdout), "@DIR@", s.dir)
	if s.Unordered {
		stdout, wantOut = sortedLines(stdout), sortedLines(wantOut)
	}
	if stdout != wantOut {
		fmt.Fprintf(&problems, "%q: stdout\n%q, want\n%q\n", s.Argv, stdout, wantOut)
	}
	if wantErr := strings.ReplaceAll(s.text(want.Stderr), "@DIR@", s.dir); want.Stderr != nil && stderr != wantErr {
		fmt.Fprintf(&problems, "%q: stderr\n%s, want\n%s\n", s.Argv, stderr, wantErr)
	}
	if exit != want.Exit {
		fmt.Fprintf(&problems, "%q: exit %d, want %d\n", s.Argv, exit, want.Exit)
	}
	created := listing(s.T, s.dir)
	maps.DeleteFunc(created, func(name, _ string) bool { _, old := before[name]; return old })
	// What the workers create was not recorded.
	if !s.NeedsProxymap && !maps.Equal(created, want.Created) {
		fmt.Fprintf(&problems, "%q: created %v, want %v\n", s.Argv, created, want.Created)
	}
	for name := range want.Created {
		if !strings.HasSuffix(name, ".cdb") || want.CDB == "" {
			continue
		}
		got, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil || !bytes.Equal(got, want.cdb(s.T)) {
			fmt.Fprintf(&problems, "%q: %s differs from the recorded one (%v)\n", s.Argv, name, err)
		}
	}
	return problems.String()
}

// replayWithServer replays a record with our master and our workers.
func replayWithServer(t *testing.T, r *record, postmap string, w *waiting) {
	bin := testenv.Bin(t, "master", "proxymap")
	pf := postfixtest.New(t, postfixtest.Daemon("proxymap", filepath.Join(bin, "proxymap")))
	for name, value := range r.Main {
		pf.SetMain(name, strings.ReplaceAll(value, "@DIR@", pf.Tables))
	}
	pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
	s := &scene{T: t, record: r, postmap: postmap, dir: pf.Tables, env: environ(pf.Conf)}
	s.writeFiles()
	pf.Start(filepath.Join(bin, "master"))
	messages := s.setUp()
	for name := range listing(t, s.dir) {
		if err := os.Chown(filepath.Join(s.dir, name), pf.UID, pf.GID); err != nil {
			t.Fatal(err)
		}
	}
	before := listing(t, s.dir)
	stdout, stderr, exit := s.run(r.Argv, r.text(r.Stdin))
	if problems := s.compare(stdout, stderr, exit, before); problems != "" && !w.explains(messages+stderr+pf.Log()) {
		t.Error(problems)
	}
}

func octal(mode fs.FileMode) string { return fmt.Sprintf("%o", mode.Perm()) }
