package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// instance is a private Postfix with this test binary for its workers.
type instance struct {
	*postfixtest.Instance
	t *testing.T
}

// ourMaster is the program under test.
func ourMaster(t *testing.T) string { return filepath.Join(testenv.Bin(t, "master"), "master") }

func newInstance(t *testing.T, options ...postfixtest.Option) *instance {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"take", "fail", "session", "parent"} {
		options = append(options, postfixtest.Daemon(name, self))
	}
	i := &instance{postfixtest.New(t, options...), t}
	i.SetMain("import_environment", "MAIL_CONFIG LANG=C {GREETING = hello world} "+workerDir+"="+i.Tables)
	return i
}

// reports gives what the workers of a service have found so far.
func (i *instance) reports(service string) []*report {
	i.t.Helper()
	files, err := filepath.Glob(filepath.Join(i.Tables, "report."+service+".*[0-9]"))
	if err != nil {
		i.t.Fatal(err)
	}
	var all []*report
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			i.t.Fatal(err)
		}
		r := &report{}
		if err := json.Unmarshal(text, r); err != nil {
			i.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// got gives what clients and the master have sent to the workers of a service.
func (i *instance) got(service string) []string {
	text, _ := os.ReadFile(filepath.Join(i.Tables, "got."+service)) // absent: nothing
	return strings.Fields(string(text))
}

func (i *instance) dial(path string) net.Conn {
	i.t.Helper()
	conn, err := net.DialTimeout("unix", filepath.Join(i.Queue, path), 20*time.Second)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { conn.Close() })
	return conn
}

// openFiles counts the open files of the master.
func (i *instance) openFiles() int {
	i.t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", i.MasterPID()))
	if err != nil {
		i.t.Fatal(err)
	}
	return len(files)
}

// A worker must not be able to tell which master has started it.
func TestWorkersInheritTheSameFromEitherMaster(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	port := postfixtest.FreePort(t)
	lines := []string{
		"one unix - - n - - take -o { a = b c }",
		"two unix n n y - 1 take",
		fmt.Sprintf("%d inet n n n - 0 take", port),
		"three unix-dgram - - n - 2 take",
		"four fifo n - n - 3 take",
		"five pass - - n - 4 take",
	}
	services := map[string]string{"one": "private/one", "two": "public/two", fmt.Sprint(port): "", "three": "private/three",
		"four": "public/four", "five": "private/five"}
	collect := func(master string) map[string]*report {
		i := newInstance(t)
		i.SetMain("default_process_limit", "7")
		i.SetMaster(lines...)
		i.Start(master)
		found := make(map[string]*report)
		for service, path := range services {
			i.rouse(path, port)
			eventually(t, "a worker of "+service, func() bool { return len(i.reports(service)) > 0 })
			r := i.reports(service)[0]
			for n, v := range r.Env {
				if strings.HasPrefix(v, "GENERATION=") {
					v = "GENERATION=n" // depends on which workers came first
				}
				r.Env[n] = strings.ReplaceAll(v, i.Dir, "DIR")
			}
			for n, d := range r.Descriptors {
				d = strings.ReplaceAll(d, i.Dir, "DIR")
				// Each master has an output file of its own.
				r.Descriptors[n] = regexp.MustCompile(`DIR/out\d+`).ReplaceAllString(d, "OUTPUT")
			}
			r.Cwd = strings.ReplaceAll(r.Cwd, i.Dir, "DIR")
			found[service] = &report{Args: r.Args, Env: r.Env, Cwd: r.Cwd, Umask: r.Umask, OwnGroup: r.OwnGroup, Descriptors: r.Descriptors}
		}
		i.Stop()
		return found
	}
	theirs, ours := collect(postfixtest.PostfixMaster()), collect(ourMaster(t))
	for service := range services {
		want, _ := json.MarshalIndent(theirs[service], "", " ")
		got, _ := json.MarshalIndent(ours[service], "", " ")
		if string(got) != string(want) {
			t.Errorf("service %s: under our master\n%s\nunder Postfix's\n%s", service, got, want)
		}
	}
	if d := ours["one"].Descriptors; len(d) != 7 {
		t.Errorf("descriptors %q, want seven", d)
	}
}

// rouse makes the master start a worker of a service.
func (i *instance) rouse(path string, port int) {
	i.t.Helper()
	var conn net.Conn
	var err error
	full := filepath.Join(i.Queue, path)
	switch path {
	case "":
		conn, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	case "private/three":
		conn, err = net.Dial("unixgram", full)
	case "public/four":
		var f *os.File
		if f, err = os.OpenFile(full, os.O_WRONLY, 0); err == nil {
			_, err = f.Write([]byte{0})
			f.Close()
		}
	default:
		conn, err = net.Dial("unix", full)
	}
	if err == nil && conn != nil {
		_, err = conn.Write([]byte{0})
		i.t.Cleanup(func() { conn.Close() })
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

func TestProcessLimitHolds(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	i.SetMaster("some unix n - n - 2 take")
	i.Start(ourMaster(t))
	var clients []net.Conn
	for n := range 4 {
		clients = append(clients, i.dial("public/some"))
		eventually(t, "workers", func() bool { return len(i.reports("some")) == min(n+1, 2) })
	}
	// When clients leave, those that wait have their turn.
	for _, conn := range clients {
		if _, err := conn.Write([]byte("bye\x00")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Fatal("the worker sent something")
		}
	}
	eventually(t, "all clients to be served", func() bool { return len(i.got("some")) == 4 })
	if n := len(i.reports("some")); n != 2 {
		t.Errorf("%d workers were started, want 2", n)
	}
}

func TestFailingCommandIsThrottled(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	i.SetMain("service_throttle_time", "1h")
	i.SetMaster("broken unix n - n - - fail", "missing unix n - n - - no-such-program")
	i.Start(ourMaster(t))
	i.dial("public/broken")
	i.WaitLog(`warning: process \S+/fail pid \d+ exit status 1`)
	i.WaitLog(`warning: \S+/fail: bad command startup -- throttling`)
	i.dial("public/missing")
	i.WaitLog(`warning: \S+/no-such-program: bad command startup -- throttling`)
	i.dial("public/broken")
	i.Reload() // the master has seen the second client by now
	if n := len(i.reports("broken")); n != 1 {
		t.Errorf("%d workers were started, want 1", n)
	}
}

func TestWakeupsArrive(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	port := postfixtest.FreePort(t)
	i.SetMaster(
		"unix1 unix n - n 3600 - take",
		"fifo1 fifo n - n 3600 - take",
		"pass1 pass n - n 3600 - take",
		fmt.Sprintf("127.0.0.1:%d inet n - n 3600 - take", port),
		"cond1 unix n - n 3600? - take")
	i.Start(ourMaster(t))
	for service, want := range map[string]string{
		"unix1": `"W\x00"`, "fifo1": `"W"`, "pass1": `"\x00passed:W\x00"`, fmt.Sprintf("127.0.0.1_%d", port): `"W\x00"`,
	} {
		eventually(t, "a wakeup of "+service, func() bool { return len(i.got(service)) > 0 })
		if got := i.got(service); got[0] != want && !(service == "pass1" && got[0] == `"passed:W\x00"`) {
			t.Errorf("%s got %q, want %s", service, got, want)
		}
	}
	if got := i.reports("cond1"); len(got) != 0 {
		t.Error("a service that nobody uses was woken up")
	}
	conn := i.dial("public/cond1")
	if _, err := conn.Write([]byte("client\x00")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a wakeup after the first use", func() bool { return slices.Contains(i.got("cond1"), `"W\x00"`) })
	if len(i.Trouble()) != 0 {
		t.Errorf("log %q", i.Trouble())
	}
}

func TestReloadAddsChangesAndRemovesServices(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	i.SetMaster("stays unix n - n - 5 take", "goes unix n - n - - take")
	i.Start(ourMaster(t))
	staying := i.dial("public/stays")
	i.dial("public/goes")
	eventually(t, "two workers", func() bool { return len(i.reports("stays")) == 1 && len(i.reports("goes")) == 1 })

	i.SetMaster("stays unix n - n - 5 take -v", "new unix n - n - - take")
	i.Reload()
	eventually(t, "the removed service's worker to end", func() bool { return len(i.Workers("take", "goes")) == 0 })
	eventually(t, "the removed service to be closed", func() bool {
		conn, err := net.Dial("unix", filepath.Join(i.Queue, "public/goes"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	i.dial("public/new")
	eventually(t, "a worker of the new service", func() bool { return len(i.reports("new")) == 1 })

	// The client of before the reload is served by the worker that it had, and
	// the next client by a new one with the new arguments.
	i.dial("public/stays")
	eventually(t, "a second worker", func() bool { return len(i.reports("stays")) == 2 })
	if _, err := staying.Write([]byte("still here\x00")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first client to be served", func() bool { return len(i.got("stays")) > 0 })
	verbose := 0
	for _, r := range i.reports("stays") {
		if slices.Contains(r.Args, "-v") {
			verbose++
		}
	}
	if verbose != 1 {
		t.Errorf("%d workers have the new arguments, want 1", verbose)
	}
	before := i.openFiles()
	for range 20 {
		i.Reload()
	}
	eventually(t, "as many open files as before 20 reloads", func() bool { return i.openFiles() <= before })
	if trouble := i.Trouble(); len(trouble) != 0 {
		t.Errorf("log %q", trouble)
	}
}

func TestBrokenConfigurationAtReloadChangesNothing(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	i := newInstance(t)
	i.SetMaster("some unix n - n - - take")
	i.Start(ourMaster(t))
	for text, log := range map[string]string{
		"new unix n - n - - take\nsome unxi n - n - - take":                         `error: \S+/master.cf: line 2: bad transport type: unxi -- keeping the old configuration`,
		fmt.Sprintf("new unix n - n - - take\n%s inet n - n - - take", busy.Addr()): `error: bind 127.0.0.1 port \d+: Address already in use -- keeping the old configuration`,
	} {
		i.SetMaster(text)
		i.Reload()
		i.WaitLog(log)
	}
	i.SetMaster("new unix n - n - - take")
	i.SetMain("service_throttle_time", "soon")
	i.Reload()
	i.WaitLog(`error: \S*main.cf.*service_throttle_time.* -- keeping the old configuration|error: .*service_throttle_time.* -- keeping the old configuration`)
	i.dial("public/some")
	eventually(t, "a worker", func() bool { return len(i.reports("some")) == 1 })
}

// A worker that leads a session of its own outlives the signal to the group, and
// leaves because the master is gone.
func TestStop(t *testing.T) {
	testenv.Require(t, testenv.Root, testenv.Postfix)
	i := newInstance(t)
	i.SetMaster("reader unix n - n - - take", "writer unix n - n - - session", "parent unix n - n - - parent")
	i.Start(ourMaster(t))
	i.dial("public/reader")
	i.dial("public/parent")
	writing := i.dial("public/writer")
	eventually(t, "workers", func() bool {
		return len(i.reports("reader")) == 1 && len(i.got("writer")) == 1 && len(i.Workers("sleep", "sleep")) == 1
	})
	go func() {
		eventually(t, "the reader to end", func() bool { return len(i.Workers("take", "reader")) == 0 })
		writing.Write([]byte("last words\x00"))
	}()
	i.Stop()
	if got := i.got("writer"); !slices.Equal(got, []string{`"accepted"`, `"last`, `words\x00"`}) {
		t.Errorf("the writer got %q", got)
	}
}
