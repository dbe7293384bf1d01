package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// load reads a main.cf with the given text.
func load(t *testing.T, text string, overrides ...Override) (*Params, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := Load(dir, overrides)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("not an *Error of one line: %#v", err)
		}
		return nil, errors.New(strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
	for i := range p.warnings {
		p.warnings[i] = strings.ReplaceAll(p.warnings[i], dir, "DIR")
	}
	return p, nil
}

func TestLoad(t *testing.T) {
	_, err := load(t, "# comment\n\nmax_use = 7\r\nmynetworks = 10.0.0.0/8\n\t192.168.0.0/16 # no comment\n# inside\n  [::1]\n"+
		"x y = z\nempty=\nodd name! = v = w\n", Override{"max_idle", "$max_use"})
	if err == nil || err.Error() != `DIR/main.cf, line 8: missing '=' after attribute name: "x y = z"` {
		t.Errorf("got %v", err)
	}
	p, err := load(t, "# comment\n\nmax_use = 7\r\nmynetworks = 10.0.0.0/8\n\t192.168.0.0/16 # no comment\n# inside\n  [::1]\n"+
		"empty=\nodd-name!=v = w\n", Override{"max_idle", "$max_use"}, Override{"ipc_idle", "3s"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"max_use": "7", "mynetworks": "10.0.0.0/8\t192.168.0.0/16 # no comment  [::1]", "empty": "", "odd-name!": "v = w",
		"max_idle": "$max_use", "ipc_idle": "3s", "ipc_ttl": "1000s",
	} {
		if got, ok := p.Raw(name); !ok || got != want {
			t.Errorf("%s = %q, %v, want %q", name, got, ok, want)
		}
	}
	if p.IsSet("ipc_ttl") || !p.IsSet("empty") || !p.IsSet("max_idle") || p.IsSet("nosuch") {
		t.Error("IsSet")
	}
	if got, ok := p.Raw("nosuch"); ok || got != "" {
		t.Errorf("nosuch = %q, %v", got, ok)
	}
	if len(p.Warnings()) != 0 {
		t.Errorf("warnings %q", p.Warnings())
	}
}

func TestLoadWarnings(t *testing.T) {
	p, err := load(t, "  orphan\nmax_use = 1\nmax_use = 2\nmax_use = 2\nconfig_directory = /x\nmyhostname = a\x00b\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`DIR/main.cf: logical line must not start with whitespace: "  orphan"`,
		"DIR/main.cf, line 3: overriding earlier entry: max_use=1",
		"DIR/main.cf, line 5: overriding earlier entry: config_directory=DIR",
		"DIR/main.cf, line 6: text after null byte may be ignored",
	}
	if !reflect.DeepEqual(p.Warnings(), want) {
		t.Errorf("got %q\nwant %q", p.Warnings(), want)
	}
	if got, _ := p.String("myhostname"); got != "a" {
		t.Errorf("text after a NUL byte: %q", got)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a = b\n= c\n", `DIR/main.cf, line 2: missing attribute name: "= c"`},
		{"\n\nabc\n", `DIR/main.cf, line 3: missing '=' after attribute name: "abc"`},
		{"abc\n  def\rghi\n", `DIR/main.cf, line 1: missing '=' after attribute name: "abc  def?ghi"`},
	} {
		if _, err := load(t, tc.text); err == nil || err.Error() != tc.want {
			t.Errorf("%q: got %v, want %s", tc.text, err, tc.want)
		}
	}
	dir := t.TempDir()
	_, err := Load(dir, nil)
	if want := "open " + dir + "/main.cf: No such file or directory"; err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: got %v, want %s", err, want)
	}
	if err := os.Mkdir(filepath.Join(dir, "main.cf"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Load(dir, nil)
	if want := "read " + dir + "/main.cf: Is a directory"; err == nil || err.Error() != want {
		t.Errorf("directory: got %v, want %s", err, want)
	}
}

func TestTypes(t *testing.T) {
	p, err := load(t, "compatibility_level = 3.6\nmax_use = $nine\nnine = 9\nmax_idle = 2m\nipc_idle = 7\nipc_ttl = 1h \n"+
		"minimal = 0\ndelay_warning_time = 4\nmulti_instance_enable = YeS\nlmdb_map_size = 9223372036854775807\n"+
		"mail_time_limit = 3\nbounce_queue_lifetime = 2\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"max_use": 9, "nine": 9, "lmdb_map_size": 1<<63 - 1, "default_process_limit": 100} {
		if got, err := p.Int(name); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", name, got, err, want)
		}
	}
	for name, want := range map[string]time.Duration{
		"max_idle": 2 * time.Minute, "ipc_idle": 7 * time.Second, "ipc_ttl": time.Hour, "daemon_timeout": 18000 * time.Second,
		"delay_warning_time":    4 * time.Hour,      // the unit of its default
		"bounce_queue_lifetime": 2 * 24 * time.Hour, // the same
		"mail_time_limit":       3 * time.Second,    // unknown
	} {
		if got, err := p.Duration(name); err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", name, got, err, want)
		}
	}
	for name, want := range map[string]bool{"multi_instance_enable": true, "proxymapd_announce": true, "smtputf8_enable": true} {
		if got, err := p.Bool(name); err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", name, got, err, want)
		}
	}
	if err := p.Check(Common...); err != nil {
		t.Error(err)
	}
}

func TestTypeErrors(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"max_use", "x", "bad numerical configuration: max_use = x"},
		{"max_use", "", "bad numerical configuration: max_use = "},
		{"max_use", "7x", "bad numerical configuration: max_use = 7x"},
		{"max_use", "2147483648", "bad numerical configuration: max_use = 2147483648"},
		{"max_use", "$relayhost", "bad numerical configuration: max_use = "},
		{"max_use", "0", "invalid max_use parameter value 0 < 1"},
		{"delay_logging_resolution_limit", "7", "invalid delay_logging_resolution_limit parameter value 7 > 6"},
		{"lmdb_map_size", "9223372036854775808", "bad numerical configuration: lmdb_map_size = 9223372036854775808"},
		{"lmdb_map_size", "0", "invalid lmdb_map_size parameter value 0 < 1"},
		{"max_idle", "", "parameter max_idle: bad time value or unit: "},
		{"max_idle", "1y", "parameter max_idle: bad time value or unit: 1y"},
		{"max_idle", "-1s", "parameter max_idle: bad time value or unit: -1s"},
		{"max_idle", "35791395m", "parameter max_idle: bad time value or unit: 35791395m"},
		{"max_idle", "99999999999s", "parameter max_idle: bad time value or unit: 99999999999s"},
		{"max_idle", "0", "invalid max_idle: 0 (min 1)"},
		{"in_flow_delay", "11s", "invalid in_flow_delay: 11 (max 10)"},
		{"smtputf8_enable", "maybe", "bad boolean configuration: smtputf8_enable = maybe"},
		{"smtputf8_enable", "", "bad boolean configuration: smtputf8_enable = "},
		{"mail_owner", "", "bad string length 0 < 1: mail_owner = "},
		{"default_verp_delimiters", "+=-", "bad string length 3 > 2: default_verp_delimiters = +=-"},
		{"compatibility_level", "3.x", `malformed compatibility level syntax: "3.x": compatibility_level = 3.x`},
		{"mail_owner", "${x", `macro processing error: truncated macro reference: "${x": mail_owner = ${x`},
	} {
		p, err := load(t, "# a comment\n"+tc.name+" = "+tc.value+"\n")
		if err != nil {
			t.Fatal(err)
		}
		err = p.Check(tc.name)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s = %s: got %v", tc.name, tc.value, err)
			continue
		}
		file := filepath.Join(p.Dir(), "main.cf")
		if want := file + ", line 2: " + tc.want; err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if e.File != file || e.Line != 2 || e.Param != tc.name {
			t.Errorf("got %q line %d param %q", e.File, e.Line, e.Param)
		}
		p.SetOverride(tc.name, tc.value)
		if err := p.Check(tc.name); err == nil || err.Error() != tc.want {
			t.Errorf("override: got %v, want %s", err, tc.want)
		}
	}
}

// TestSloppyTimes holds what Postfix accepts as times although it looks wrong.
func TestSloppyTimes(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"10seconds": 10 * time.Second, "3minutes": 3 * time.Minute, " 4": 4 * time.Second, "+5": 5 * time.Second,
		"1w": 7 * 24 * time.Hour, "2147483647": 2147483647 * time.Second,
	} {
		p := New("/x", map[string]string{"max_idle": value})
		if got, err := p.Duration("max_idle"); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", value, got, err, want)
		}
	}
}

func TestParseOverride(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		want Override
		err  string
	}{
		{"a=b", Override{"a", "b"}, ""},
		{" a = b c ", Override{"a", "b c"}, ""},
		{"a=", Override{"a", ""}, ""},
		{"a=b=c", Override{"a", "b=c"}, ""},
		{"{ a = b c }", Override{"a", "b c"}, ""},
		{"{a={b}}", Override{"a", "{b}"}, ""},
		{"a", Override{}, `invalid "-o a" option value: missing '=' after attribute name`},
		{"=b", Override{}, `invalid "-o =b" option value: missing attribute name`},
		{"{a=b", Override{}, `invalid "-o {a=b" option value: missing '}' in "{a=b"`},
		{"{a=b}c", Override{}, `invalid "-o {a=b}c" option value: syntax error after '}' in "{a=b}c"`},
	} {
		got, err := ParseOverride(tc.arg)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%q: got %q, %v", tc.arg, got, err)
		}
	}
}

func TestDir(t *testing.T) {
	t.Setenv("MAIL_CONFIG", "/from/environment")
	if got := Dir("/from/option"); got != "/from/option" {
		t.Error(got)
	}
	if got := Dir(""); got != "/from/environment" {
		t.Error(got)
	}
	os.Unsetenv("MAIL_CONFIG")
	if got := Dir(""); got != "/etc/postfix" {
		t.Error(got)
	}
}
