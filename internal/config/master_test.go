package config

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// loadMaster reads a master.cf with the given text. Messages name the directory DIR.
func loadMaster(t *testing.T, text string, params map[string]string) ([]Service, []string, error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "master.cf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // nobody is writing it
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	if params == nil {
		params = map[string]string{"compatibility_level": "3.6"}
	}
	services, warnings, err := LoadMaster(dir, New(dir, params))
	for i := range warnings {
		warnings[i] = strings.ReplaceAll(warnings[i], dir, "DIR")
	}
	for i := range services {
		services[i].File = strings.ReplaceAll(services[i].File, dir, "DIR")
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("not an *Error of one line: %#v", err)
		}
		err = errors.New(strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
	return services, warnings, err
}

func TestLoadMaster(t *testing.T) {
	services, warnings, err := loadMaster(t, `# comment
smtp      inet  n       -       y       -       -       smtpd
[::1]:10025 inet n n n 30 0 smtpd
    -o smtpd_banner=x -o { mynetworks = 1 2 }
    # comment

    { an argument } {} end
qmgr fifo n y - 300? 1 qmgr
`, nil)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v, %q", err, warnings)
	}
	want := []Service{
		{
			Name: "smtp", Type: "inet", Port: "smtp", Unprivileged: true, Chroot: true, MaxProc: 100, Command: "smtpd",
			Columns: []string{"smtp", "inet", "n", "-", "y", "-", "-", "smtpd"}, File: "DIR/master.cf", Line: 2,
		},
		{
			Name: "[::1]:10025", Type: "inet", Host: "::1", Port: "10025", Wakeup: 30 * time.Second, Command: "smtpd",
			Args: []string{"-o", "smtpd_banner=x", "-o", "mynetworks = 1 2", "an argument", "", "end"},
			Columns: []string{
				"[::1]:10025", "inet", "n", "n", "n", "30", "0", "smtpd", "-o", "smtpd_banner=x", "-o",
				"{ mynetworks = 1 2 }", "{ an argument }", "{}", "end",
			}, File: "DIR/master.cf", Line: 3,
		},
		{
			Name: "qmgr", Type: "fifo", Unprivileged: true, ChrootDefault: true, Wakeup: 300 * time.Second,
			WakeupOnlyIfUsed: true, MaxProc: 1, Command: "qmgr",
			Columns: []string{"qmgr", "fifo", "n", "y", "-", "300?", "1", "qmgr"}, File: "DIR/master.cf", Line: 8,
		},
	}
	if !reflect.DeepEqual(services, want) {
		t.Errorf("got\n%+v\nwant\n%+v", services, want)
	}
}

func TestMasterDefaults(t *testing.T) {
	services, _, err := loadMaster(t, "x unix - - - - - y\n", map[string]string{
		"compatibility_level": "0", "default_process_limit": "7",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := services[0]; !s.Private || !s.Unprivileged || !s.Chroot || !s.ChrootDefault || s.MaxProc != 7 || s.Wakeup != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestMasterNumbers(t *testing.T) {
	services, _, err := loadMaster(t, "x unix - - - 30x 99999999999 y\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := services[0]; s.Wakeup != 30*time.Second || s.WakeupOnlyIfUsed || s.MaxProc != 1<<31-1 {
		t.Errorf("got %+v", s)
	}
}

func TestStockMaster(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	text, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		t.Fatal(err)
	}
	services, warnings, err := loadMaster(t, string(text), nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %q", err, warnings)
	}
	names := map[string]bool{}
	for _, s := range services {
		names[s.Name+"/"+s.Type+" "+s.Command] = true
	}
	for _, want := range []string{
		"smtp/inet smtpd", "pickup/unix pickup", "qmgr/unix qmgr", "tlsmgr/unix tlsmgr", "proxymap/unix proxymap",
		"proxywrite/unix proxymap", "relay/unix smtp", "postlog/unix-dgram postlogd", "maildrop/unix pipe",
	} {
		if !names[want] {
			t.Errorf("no %s in %d services", want, len(services))
		}
	}
}

func TestMasterErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a unix - - n - - b\nx", `DIR/master.cf: line 2: missing "transport type" field`},
		{"x -", `DIR/master.cf: line 1: field "transport type" has no default value`},
		{"x tcp - - - - - y", "DIR/master.cf: line 1: bad transport type: tcp"},
		{"x unix - - - - -", `DIR/master.cf: line 1: missing "command" field`},
		{"x unix - - - - - -", `DIR/master.cf: line 1: field "command" has no default value`},
		{"x unix Y - - - - y", `DIR/master.cf: line 1: field "private": bad value: "Y"`},
		{"x unix - - - x30 - y", `DIR/master.cf: line 1: field "wakeup_time": bad value: "x30"`},
		{"x unix - - - - ? y", `DIR/master.cf: line 1: field "max_proc": bad value: "?"`},
		{"x unix - - - - - y {a", `DIR/master.cf: line 1: missing '}' in "{a"`},
		{"x unix - - - - - y {a}b", `DIR/master.cf: line 1: syntax error after '}' in "{a}b"`},
		{"25 inet - - - - - y", "DIR/master.cf: line 1: inet service cannot be private"},
		{"[::1 inet n - - - - y", `DIR/master.cf: line 1: missing "]" in "[::1"`},
		{"[::1]25 inet n - - - - y", `DIR/master.cf: line 1: garbage after "]" in "[::1]25"`},
		{"[ipv6:x]:25 inet n - - - - y", `DIR/master.cf: line 1: malformed IPv6 address in "[ipv6:x]:25"`},
		{"host: inet n - - - - y", `DIR/master.cf: line 1: missing service information in "host:"`},
		{"a..b:25 inet n - - - - y", `DIR/master.cf: line 1: valid hostname or network address required in "a..b:25"`},
		{"1.2.3:25 inet n - - - - y", `DIR/master.cf: line 1: valid hostname or network address required in "1.2.3:25"`},
		{"25x inet n - - - - y", `DIR/master.cf: line 1: garbage after numerical service in "25x"`},
	} {
		if _, _, err := loadMaster(t, tc.text, nil); err == nil || err.Error() != tc.want {
			t.Errorf("%s\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
	for name, value := range map[string]string{"default_process_limit": "0", "compatibility_level": "x", "inet_protocols": "${"} {
		if _, _, err := loadMaster(t, "", map[string]string{name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s = %s: got %v", name, value, err)
		}
	}
	if _, _, err := LoadMaster("/nonexistent", New("/x", nil)); err == nil || err.Error() != "open /nonexistent/master.cf: No such file or directory" {
		t.Errorf("missing file: %v", err)
	}
}

func TestMasterDuplicates(t *testing.T) {
	services, warnings, err := loadMaster(t, `x unix n - n - - first
x unix - - n - - other
x fifo n - n - - other
25 inet n - n - - one
smtp inet n - n - - two
x unix n - n - - last
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings := []string{
		`duplicate master.cf entry for service "25" (25) -- using the last entry`,
		`duplicate master.cf entry for service "x" (public/x) -- using the last entry`,
	}
	if !slices.Equal(warnings, wantWarnings) {
		t.Errorf("got %q", warnings)
	}
	var got []string
	for _, s := range services {
		got = append(got, s.Type+" "+s.Endpoint()+" "+s.Command)
	}
	want := []string{"unix public/x last", "unix private/x other", "fifo public/x other", "inet 25 two"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMasterServiceDisable(t *testing.T) {
	const text = "smtp inet n - n - - a\nsmtp unix - - n - - b\nrelay unix - - n - - c\nx fifo - - n - - d\n"
	for _, tc := range []struct{ disable, protocols, want string }{
		{"", "all", "abcd"},
		{"inet", "all", "bcd"},
		{"UNIX", "all", "ad"},
		{"smtp/unix, x/fifo", "all", "ac"},
		{"smtp.unix", "all", "acd"}, // the old form
		{"!relay/unix unix", "all", "acd"},
		{"!!relay/unix", "all", "abd"},
		{"", "", "bcd"},
	} {
		services, warnings, err := loadMaster(t, text, map[string]string{
			"compatibility_level": "3.6", "master_service_disable": tc.disable, "inet_protocols": tc.protocols,
		})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range services {
			got += s.Command
		}
		if got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.disable, got, tc.want)
		}
		if (tc.protocols == "") != slices.Contains(warnings, `disabling all type "inet" services in master.cf`) {
			t.Errorf("%q: warnings %q", tc.protocols, warnings)
		}
	}
}

// Records whose error is found when the service's socket is made, which is not the parser's task.
var socketErrors = []string{"inet-v6", "inet-bad-port", "service-with-slash", "service-with-dots"}

// TestRecordedMaster replays what Postfix's master made of a file.
func TestRecordedMaster(t *testing.T) {
	file, err := os.Open("../../testdata/vectors/mastercf.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	type results struct {
		Master struct {
			Log     []string
			Sockets []string
		}
	}
	lines := bufio.NewScanner(file)
	count := 0
	for lines.Scan() {
		var record struct {
			Name    string
			Files   map[string]string
			Result  *results
			Results map[string]*results
		}
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		want := record.Result
		if want == nil {
			want = record.Results["3.11.4"]
		}
		if slices.Contains(socketErrors, strings.Split(record.Name, "/")[0]) {
			continue
		}
		count++
		compareRecorded(t, record.Name, record.Files, want.Master.Log, want.Master.Sockets)
	}
	if err := lines.Err(); err != nil || count < 40 {
		t.Errorf("%d records, %v", count, err)
	}
}

func compareRecorded(t *testing.T, name string, files map[string]string, log, sockets []string) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(toBytes(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	services, warnings, err := LoadMaster(dir, p)
	var gotLog, gotSockets []string
	for _, w := range warnings {
		gotLog = append(gotLog, "warning: "+w)
	}
	if err != nil {
		gotLog = append(gotLog, "fatal: "+strings.ReplaceAll(err.Error(), dir, "@DIR@"))
	}
	for _, s := range services {
		switch s.Type {
		case "inet":
		case "fifo":
			gotSockets = append(gotSockets, s.Endpoint()+" fifo 622")
		default:
			gotSockets = append(gotSockets, s.Endpoint()+" socket 666")
		}
	}
	for i := range sockets {
		sockets[i] = toBytes(sockets[i])
	}
	slices.Sort(gotSockets)
	slices.Sort(sockets)
	if !slices.Equal(gotLog, log) {
		t.Errorf("%s: log\ngot  %q\nwant %q", name, gotLog, log)
	}
	if !slices.Equal(gotSockets, sockets) {
		t.Errorf("%s: sockets\ngot  %q\nwant %q", name, gotSockets, sockets)
	}
}

// toBytes undoes the recordings' one character per byte.
func toBytes(text string) string {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r))
	}
	return string(b)
}
