package master

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/config"
)

// Command lines as Postfix 3.7.11 and 3.11.4 build them; the listeners on all
// interfaces are 0.0.0.0 and [::].
func TestCommandLines(t *testing.T) {
	s := &settings{daemonDir: "/libexec", processLimit: 100, throttleTime: time.Minute}
	all := network{interfaces: "all", protocols: protocols{ipv4: true, ipv6: true}}
	for _, test := range []struct {
		name  string
		entry config.Service
		want  string
	}{
		{"plain", config.Service{Name: "proxymap", Type: "unix", MaxProc: 100, Command: "proxymap"},
			"proxymap -t unix"},
		{"other name", config.Service{Name: "proxywrite", Type: "unix", MaxProc: 1, Unprivileged: true, Command: "proxymap"},
			"proxymap -l -n proxywrite -t unix -u"},
		{"no limit, chroot", config.Service{Name: "cleanup", Type: "unix", Unprivileged: true, Chroot: true, Command: "cleanup"},
			"cleanup -z -t unix -u -c"},
		{"public inet", config.Service{Name: "smtp", Type: "inet", Port: "smtp", MaxProc: 100, Unprivileged: true, Command: "smtpd", Args: []string{"-o", "a=b c"}},
			"smtpd -n smtp -t inet -u -o stress= -s 2 -o a=b c"},
		{"one process is never stressed", config.Service{Name: "25", Type: "inet", Port: "25", MaxProc: 1, Command: "postscreen"},
			"postscreen -l -n 25 -t inet -s 2"},
		{"loopback is local", config.Service{Name: "127.0.0.1:25", Type: "inet", Host: "127.0.0.1", Port: "25", MaxProc: 9, Command: "smtpd"},
			"smtpd -n 127.0.0.1:25 -t inet"},
		{"pass", config.Service{Name: "smtpd", Type: "pass", MaxProc: 9, Command: "smtpd"},
			"smtpd -t pass -o stress="},
		{"unix-dgram", config.Service{Name: "postlog", Type: "unix-dgram", MaxProc: 1, Command: "postlogd"},
			"postlogd -l -n postlog -t unix-dgram"},
		{"command with a directory", config.Service{Name: "x", Type: "unix", MaxProc: 9, Command: "sub/x"},
			"sub/x -t unix"},
	} {
		d, err := define(&test.entry, s, all)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := strings.Join(d.argv(false, false, false), " "); got != test.want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
		if d.path != "/libexec/"+test.entry.Command {
			t.Errorf("%s: path %s", test.name, d.path)
		}
	}
}

func TestCommandLineOfForegroundAndVerboseMaster(t *testing.T) {
	d := unixService("proxymap")
	d.chroot = true
	if got, want := strings.Join(d.argv(false, true, true), " "), "proxymap -l -t unix -d -v -c"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBacklogIsAtLeastTheProcessLimit(t *testing.T) {
	s := &settings{processLimit: 100}
	for limit, want := range map[int]int{0: 100, 1: 100, 500: 500} {
		d, err := define(&config.Service{Name: "x", Type: "unix", MaxProc: limit}, s, network{})
		if err != nil || d.backlog != want {
			t.Errorf("process limit %d: backlog %d, %v; want %d", limit, d.backlog, err, want)
		}
	}
}

func TestListenAddresses(t *testing.T) {
	both, v4 := protocols{ipv4: true, ipv6: true}, protocols{ipv4: true}
	for _, test := range []struct {
		name             string
		net              network
		host, port       string
		want, err        string
		portErr, wrapped bool
	}{
		{name: "all", net: network{"all", both}, port: "25", want: "0.0.0.0:25 [::]:25"},
		{name: "all, IPv4", net: network{"all", v4}, port: "25", want: "0.0.0.0:25"},
		{name: "one interface", net: network{"127.0.0.1", both}, port: "smtp", want: "127.0.0.1:25"},
		{name: "interface twice", net: network{"127.0.0.1, 127.0.0.1", both}, port: "25", want: "127.0.0.1:25"},
		{name: "host wins", net: network{"all", both}, host: "::1", port: "25", want: "[::1]:25"},
		{name: "disabled protocol", net: network{"all", v4}, host: "::1", port: "25",
			err: "/c/master.cf: line 7: bad hostname or network address: x"},
		{name: "foreign interface", net: network{"192.0.2.1", both}, port: "25",
			err: "/c/master.cf: line 7: parameter inet_interfaces: no local interface found for 192.0.2.1"},
		{name: "no interface", net: network{"", both}, port: "25",
			err: "/c/master.cf: line 7: service definition requires valid host name or address, or non-empty inet_interfaces setting"},
		{name: "unknown port", net: network{"127.0.0.1", both}, port: "no-such", want: "127.0.0.1:0", portErr: true},
		{name: "port out of range", net: network{"127.0.0.1", both}, port: "70000", want: "127.0.0.1:4464", wrapped: true},
	} {
		entry := &config.Service{Name: "x", Type: "inet", Host: test.host, Port: test.port, File: "/c/master.cf", Line: 7}
		e, err := newEndpoint(entry, test.net)
		if err != nil {
			if err.Error() != test.err {
				t.Errorf("%s: error %q, want %q", test.name, err, test.err)
			}
			continue
		}
		if test.err != "" {
			t.Errorf("%s: no error", test.name)
		}
		var got []string
		for _, a := range e.addrs {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != test.want || (e.badPort != nil) != test.portErr || e.wrapped != test.wrapped {
			t.Errorf("%s: %q, bad port %v, wrapped %v", test.name, got, e.badPort, e.wrapped)
		}
	}
}

func TestLoopbackOnlyListensOnLoopback(t *testing.T) {
	n := network{"loopback-only", protocols{ipv4: true, ipv6: true}}
	addrs, err := n.listenAddrs("", "x")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(addrs, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("%v is without 127.0.0.1", addrs)
	}
	for _, a := range addrs {
		if !a.IsLoopback() {
			t.Errorf("%v is no loopback address", a)
		}
	}
}

func TestProtocols(t *testing.T) {
	for value, want := range map[string]protocols{
		"all": {true, true}, "ipv4": {ipv4: true}, "IPv6": {ipv6: true}, "ipv4, ipv6": {true, true}, "": {},
	} {
		if got, err := parseProtocols(value); err != nil || got != want {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
	if _, err := parseProtocols("ipv4 ipx"); err == nil || err.Error() != `unknown inet_protocols value "ipx" in "ipv4 ipx"` {
		t.Errorf("ipx: %v", err)
	}
}

func TestImportedEnvironment(t *testing.T) {
	present := map[string]string{"TZ": "UTC", "PATH": "/evil", "DISPLAY": ""}
	lookup := func(name string) (string, bool) { v, ok := present[name]; return v, ok }
	got, err := importedVariables("MAIL_CONFIG TZ,DISPLAY LANG=C { EMPTY = } { GREETING = hello big world }", lookup)
	want := []variable{{"TZ", "UTC"}, {"DISPLAY", ""}, {"LANG", "C"}, {"EMPTY", ""}, {"GREETING", "hello big world"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for list, want := range map[string]string{
		"{ A = b":    `import_environment: missing '}' in "{ A = b"`,
		"{ A = b }c": `import_environment: syntax error after '}' in "{ A = b }c"`,
		"{A=b}{C=d}": `import_environment: syntax error after '}' in "{A=b}{C=d}"`,
		"=x":         "import_environment: missing attribute name in: =x",
	} {
		if _, err := importedVariables(list, lookup); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", list, err, want)
		}
	}
}

func TestReloadKeepsWhatCannotChange(t *testing.T) {
	running := &settings{configDir: "/etc/postfix", queueDir: "/var/spool/postfix", protocols: "all", daemonDir: "/a"}
	s := &settings{configDir: "/etc/postfix", queueDir: "/elsewhere", protocols: "all", daemonDir: "/b"}
	want := []string{
		"ignoring queue_directory parameter value change",
		`old value: "/var/spool/postfix", new value: "/elsewhere"`,
		"to change queue_directory, stop and start Postfix",
	}
	if got := s.keepFixed(running); !slices.Equal(got, want) {
		t.Errorf("warnings %q", got)
	}
	if s.queueDir != running.queueDir || s.daemonDir != "/b" {
		t.Errorf("settings after the reload: %+v", s)
	}
}

// Splitting loses nothing but separators and braces.
func FuzzSplitBraced(f *testing.F) {
	for _, seed := range []string{"MAIL_CONFIG TZ LANG=C", "{ A = b c } D", "{}", "{a}{b}", "{a", "a{b c}d", "}{", "{{x} y}"} {
		f.Add(seed)
	}
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(", \t\r\n{}", r) {
				return -1
			}
			return r
		}, s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		words, err := splitBraced(list)
		if err != nil {
			return
		}
		if got, want := letters(strings.Join(words, " ")), letters(list); got != want {
			t.Errorf("%q: words %q", list, words)
		}
	})
}
