package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const testMain = "compatibility_level = 3.6\nu1 = one   two\nsmtpd_banner = $u1 $max_use\n"

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   []string
		stdout string
		stderr string
		exit   int
	}{
		{"value", []string{"max_use"}, "max_use = 100\n", "", 0},
		{"cluster", []string{"-dh", "max_use", "max_idle"}, "100\n100s\n", "", 0},
		{"long names", []string{"--expand", "--hide-names", "smtpd_banner"}, "one two 100\n", "", 0},
		{"override", []string{"-o", "max_use = 7", "-x", "smtpd_banner"}, "smtpd_banner = one two 7\n", "", 0},
		{"class", []string{"-C", "user"}, "u1 = one two\n", "", 0},
		{"our own parameter", []string{"-d", "proxymapd_announce"}, "proxymapd_announce = yes\n", "", 0},
		{"quiet", []string{"-qn", "u2"}, "", "postconf: warning: u2: unknown parameter\n", 0},
		{"name without value", []string{"-H", "max_use"}, "max_use\n", "", 0},
		{"unknown option", []string{"-Z"}, "", "postconf: fatal: unknown shorthand flag: 'Z' in -Z; try --help\n", 1},
		{"contradiction", []string{"-dn"}, "", "postconf: fatal: specify one of -d -n\n", 1},
		{"two things to show", []string{"-MP"}, "", "postconf: fatal: specify one of -M -P\n", 1},
		{"useless option", []string{"-Mh"}, "", "postconf: fatal: with option -M, do not specify -h\n", 1},
		{"unsupported option", []string{"-a"}, "", "postconf: fatal: option -a is not supported: use Postfix's own postconf for SASL plug-in types\n", 1},
		{"unsupported option with argument", []string{"-Trun-version"}, "", "postconf: fatal: option -T is not supported: use Postfix's own postconf for TLS features\n", 1},
		{"edit without argument", []string{"-e"}, "", "postconf: fatal: -e requires name=value argument\n", 1},
		{"exclude without argument", []string{"-MX"}, "", "postconf: fatal: missing service argument\n", 1},
		{"two kinds of edit", []string{"-#", "max_use=3"}, "", "postconf: fatal: specify one of -e -#\n", 1},
		{"edit and show", []string{"-x", "max_use=3"}, "", "postconf: fatal: specify one of -e -x\n", 1},
		{"edit all parameters", []string{"-PP", "a/b/c=3"}, "", "postconf: fatal: specify one of -e -PP\n", 1},
		{"columns cannot be removed", []string{"-FX", "a/b/c"}, "", "postconf: fatal: with option -F, do not specify -X\n", 1},
		{"class of all parameters of a service", []string{"-PPC", "user"}, "proxymap/unix/max_use = 9\nproxymap/unix/u1 = one two\n", "", 0},
		{"class has no effect", []string{"-C", "user", "-P"}, "proxymap/unix/max_use = 9\n", "", 0},
		{"JSON", []string{"-j", "u1", "max_use"}, "{\"u1\": \"one   two\"}\n{\"max_use\": \"100\"}\n", "", 0},
		{"JSON, expanded", []string{"-jx", "smtpd_banner"}, "{\"smtpd_banner\": \"one   two 100\"}\n", "", 0},
		{"JSON without names", []string{"-jh"}, "", "postconf: fatal: with option -j, do not specify -h\n", 1},
		{"JSON of a service", []string{"-Mj"}, "{\"proxymap/unix\": \"proxymap unix - - n - - proxymap -o max_use=9\"}\n", "", 0},
		{"JSON of a column", []string{"-Fj", "proxymap/unix/type"}, "{\"proxymap/unix/type\": \"unix\"}\n", "", 0},
		{"JSON of a service's parameter", []string{"-Pj"}, "{\"proxymap/unix/max_use\": \"9\"}\n", "", 0},
		{"bad override", []string{"-o", "x"}, "", "postconf: fatal: invalid parameter override: x: missing '=' after attribute name\n", 1},
		{"bad class", []string{"-C", "x"}, "", "postconf: fatal: unknown -C option value \"x\" in \"x\"\n", 1},
		{"all parameters of a service", []string{"-PPx", "proxymap/unix/max_use"}, "proxymap/unix/max_use = 9\n", "", 0},
		{"bad column", []string{"-F", "proxymap/unix/x"}, "", "postconf: fatal: invalid service attribute name: \"x\"\n", 1},
		{"bad pattern", []string{"-M", "a*b"}, "", "postconf: fatal: -M option requires service_name[/type]\n", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := writeFiles(t, map[string]latin1{
				"main.cf": testMain, "master.cf": "proxymap unix - - n - - proxymap -o max_use=9\n",
			})
			var stdout, stderr bytes.Buffer
			exit := run(append([]string{"-c", dir}, tc.args...), &stdout, &stderr)
			if exit != tc.exit || stdout.String() != tc.stdout || stderr.String() != tc.stderr {
				t.Errorf("got  %d %q %q\nwant %d %q %q", exit, stdout.String(), stderr.String(), tc.exit, tc.stdout, tc.stderr)
			}
		})
	}
}

func TestMissingFiles(t *testing.T) {
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	if exit := run([]string{"-c", dir, "max_use"}, &stdout, &stderr); exit != 1 {
		t.Errorf("exit %d", exit)
	}
	if want := "postconf: fatal: open " + dir + "/main.cf: No such file or directory\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte("\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stderr.Reset()
	if exit := run([]string{"-c", dir, "max_use"}, &stdout, &stderr); exit != 0 || stdout.String() != "max_use = 100\n" {
		t.Errorf("without master.cf: exit %d, %q", exit, stdout.String())
	}
	if want := "postconf: warning: open " + dir + "/master.cf: No such file or directory\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
}

func TestMapTypes(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if exit := run([]string{"-m"}, &stdout, &stderr); exit != 0 || stderr.Len() > 0 {
		t.Fatalf("exit %d, %s", exit, stderr.String())
	}
	types := strings.Fields(stdout.String())
	if !slices.Contains(types, "cdb") || !slices.IsSorted(types) {
		t.Errorf("not a sorted list of map types: %q", types)
	}
}

func TestClientFile(t *testing.T) {
	dir := writeFiles(t, map[string]latin1{
		"mysql.cf":  "hosts = localhost\nquery = x\nquerry = y\n",
		"main.cf":   "virtual_alias_maps = proxy:mysql:@DIR@/mysql.cf, ldap:people\npeople_search_base = x\npeople_x = y\n",
		"master.cf": "",
	})
	var stdout, stderr bytes.Buffer
	run([]string{"-c", dir, "-h", "people_search_base"}, &stdout, &stderr)
	if stdout.String() != "x\n" {
		t.Errorf("a table's parameter in main.cf is not known: %q", stdout.String())
	}
	want := "postconf: warning: mysql:" + dir + "/mysql.cf: unused parameter: querry=y\n" +
		"postconf: warning: " + dir + "/main.cf: unused parameter: people_x=y\n"
	if stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
}
