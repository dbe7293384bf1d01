package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const aliases = `# comment
Postmaster: root
owner-staff: postmaster
staff: alice,bob,
	"|/usr/bin/archive -d staff", :include:/etc/mail/staff
"Two Words": /var/mail/two
`

// TestBuild makes a table, and prints it in each form.
func TestBuild(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("aliases", aliases)
	before := time.Now().Unix()
	p.succeed("", "cdb:aliases")
	after := time.Now().Unix()
	listed := p.succeed("", "-s", "cdb:aliases")
	stamp := regexp.MustCompile(`(?m)^YP_LAST_MODIFIED:\t(\d{10})\n`)
	found := stamp.FindStringSubmatch(listed)
	if found == nil {
		t.Fatalf("no time in %q", listed)
	}
	if at, _ := strconv.ParseInt(found[1], 10, 64); at < before || at > after {
		t.Errorf("time %d, not in %d...%d", at, before, after)
	}
	lines := strings.SplitAfter(stamp.ReplaceAllString(listed, ""), "\n")
	slices.Sort(lines)
	want := []string{
		"", "@:\t@\n", "YP_MASTER_NAME:\tmail.example.com\n", "owner-staff:\tpostmaster\n", "postmaster:\troot\n",
		"staff:\talice, bob, \"|/usr/bin/archive -d staff\", :include:/etc/mail/staff\n", "two words:\t/var/mail/two\n",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("-s: %q, want %q", lines, want)
	}
	for _, test := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"-q", "STAFF"}, "alice, bob, \"|/usr/bin/archive -d staff\", :include:/etc/mail/staff\n"},
		{"", []string{"-jq", "staff"}, `{"staff": "alice, bob, \"|/usr/bin/archive -d staff\", :include:/etc/mail/staff"}` + "\n"},
		{"nobody\nTwo words\n", []string{"-q", "-"}, "Two words:\t/var/mail/two\n"},
		{"nobody\ntwo words\n", []string{"-jq", "-"}, `{"two words": "/var/mail/two"}` + "\n"},
		{"", []string{"--json", "--query=owner-staff"}, `{"owner-staff": "postmaster"}` + "\n"},
		{"", []string{"-q", "@"}, "@\n"},
	} {
		if got := p.succeed(test.stdin, append(test.args, "cdb:aliases")...); got != test.want {
			t.Errorf("postalias %q: %q, want %q", test.args, got, test.want)
		}
	}
	if got := p.succeed("", "-js", "cdb:aliases"); !strings.Contains(got, "{\"@\": \"@\"}\n{\"YP_LAST_MODIFIED\": \""+found[1]+"\"}\n") {
		t.Errorf("-js: %q", got)
	}
	if r := p.ours("", "-q", "nobody", "cdb:aliases"); r != (ran{exit: 1}) {
		t.Errorf("-q nobody: %+v", r)
	}
}

// TestAllTables: without operands the tables of alias_database are made, and only
// without any other action.
func TestAllTables(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "default_database_type = bolt", "alias_database = cdb:one, $default_database_type:two\n\tthree")
	for _, name := range []string{"one", "two", "three"} {
		p.write(name, name+": x\n")
	}
	const usage = "postalias: fatal: usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...\n"
	for _, args := range [][]string{{"-i"}, {"-q", "a"}, {"-q", "-"}, {"-d", "a"}} {
		if r := p.ours("", args...); r != (ran{stderr: usage, exit: 1}) {
			t.Errorf("postalias %q: %+v", args, r)
		}
	}
	if r := p.ours("", "-s"); r != (ran{exit: 1}) {
		t.Errorf("postalias -s: %+v", r)
	}
	p.succeed("")
	if got := p.files(); !slices.Equal(got, []string{"one", "one.cdb", "three", "three.bolt", "two", "two.bolt"}) {
		t.Errorf("files: %q", got)
	}
	for operand, key := range map[string]string{"cdb:one": "one", "bolt:two": "two", "three": "three"} {
		if got := p.succeed("", "-q", key, operand); got != "x\n" {
			t.Errorf("%s: %q", operand, got)
		}
	}

	p.write("one", "new: y\n")
	p.write("two", "new: y\n")
	p.succeed("", "-w", "cdb:one") // an operand: only this
	if r := p.ours("", "-q", "new", "bolt:two"); r.exit != 1 {
		t.Errorf("bolt:two was made, too")
	}
	p.succeed("", "-f") // options alone
	if got := p.succeed("", "-q", "new", "bolt:two"); got != "y\n" {
		t.Errorf("bolt:two: %q", got)
	}

	p.configure("alias_database =")
	p.succeed("") // as newaliases
	p.configure("alias_database = cdb:nosuch")
	if r := p.ours(""); r != (ran{stderr: "postalias: fatal: open nosuch: No such file or directory\n", exit: 1}) {
		t.Errorf("a missing file: %+v", r)
	}
}

// TestMessages: lines that are no aliases are left out, with a warning that names
// them.
func TestMessages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("t", "no value\n\nuser@domain: x\nok: y\n a, b: c\nA: 1\na: 2\n\xff: x\nb: \xff\n")
	r := p.ours("", "cdb:t")
	want := ran{stderr: `postalias: warning: t, line 1: need name:value pair
postalias: warning: t, line 3: name must be local and have no domain
postalias: warning: t: duplicate entry: "a"
postalias: warning: t, line 8: non-UTF-8 input "?: x" -- ignoring this line
postalias: warning: t, line 9: non-UTF-8 input "b: ?" -- ignoring this line
`}
	if r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
	if got := p.succeed("ok\na\nb\n", "-q", "-", "cdb:t"); got != "ok:\ty a, b:c\na:\t1\n" {
		t.Errorf("-q -: %q", got)
	}
}

// TestOptions: what contradicts itself, and what only postmap(1) has.
func TestOptions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	actions := [][]string{{"-d", "x"}, {"-i"}, {"-q", "y"}, {"-s"}}
	for _, one := range actions {
		for _, other := range actions {
			args := append(append(slices.Clone(one), other...), "whatever:whatever")
			want := ran{stderr: "postalias: fatal: specify only one of -d -i -q or -s\n", exit: 1}
			if r := p.ours("", args...); r != want {
				t.Errorf("postalias %q: %+v", args, r)
			}
		}
	}
	for _, letter := range []string{"b", "F", "h", "m", "U", "-help"} {
		r := p.ours("", "-"+letter, "-q", "-", "static:x")
		if r.exit != 1 || !strings.HasPrefix(r.stderr, "postalias: invalid option -- '"+letter[:1]+"'\n") {
			t.Errorf("postalias -%s: %+v", letter, r)
		}
	}
	for _, args := range [][]string{{"-j", "cdb:x"}, {"-j", "-i", "cdb:x"}, {"-jd", "x", "cdb:x"}} {
		if r := p.ours("", args...); r != (ran{stderr: "postalias: fatal: option -j requires -q or -s\n", exit: 1}) {
			t.Errorf("postalias %q: %+v", args, r)
		}
	}
	if r := p.ours("", "proxy:cdb:x"); r != (ran{stderr: "postalias: fatal: can't create maps via the proxy service\n", exit: 1}) {
		t.Errorf("postalias proxy:cdb:x: %+v", r)
	}
}

// TestFailedBuild: the old table stays.
func TestFailedBuild(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("t", "old: x\n")
	p.succeed("", "cdb:t")
	p.write("t", "new: x\nlong: "+strings.Repeat("x", 17<<20)+"\n")
	if r := p.ours("", "cdb:t"); r.exit != 1 || !strings.Contains(r.stderr, "fatal: t, line 2: line too long") {
		t.Errorf("%+v", r)
	}
	if r := p.ours("old\nnew\n@\n", "-q", "-", "cdb:t"); r.stdout != "old:\tx\n@:\t@\n" {
		t.Errorf("%+v", r)
	}
	if got := p.files(); !slices.Equal(got, []string{"t", "t.cdb"}) {
		t.Errorf("files: %q", got)
	}
}

// TestMode: a table can be read by whom its source can, except with -p.
func TestMode(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for name, args := range map[string][]string{"a": nil, "b": {"-p"}} {
		p.write(name, "x: y\n")
		if err := os.Chmod(filepath.Join(p.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		p.succeed("", append(args, "cdb:"+name)...)
	}
	for name, want := range map[string]os.FileMode{"a.cdb": 0o600, "b.cdb": 0o644} {
		info, err := os.Stat(filepath.Join(p.dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info, err, want)
		}
	}
}
