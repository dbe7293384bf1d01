package mysql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestMainParametersAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	params := map[string]string{
		"old_hosts": "unix:" + b.db.Socket, "old_user": b.db.User, "old_password": b.db.Password, "old_dbname": b.db.Database,
		"old_table": "t", "old_select_field": "v", "old_where_field": "k",
		"bad_hosts": "unix:" + b.db.Socket, "bad_dbname": "mail", "bad_query": "SELECT '%s'", "bad_expansion_limit": "x",
	}
	main := "compatibility_level = 3.6\nsmtputf8_enable = no\n"
	for name, value := range params {
		main += name + " = " + value + "\n"
	}
	b.write("main.cf", main)
	b.env.Param = func(name string) (string, bool) { v, ok := params[name]; return v, ok }
	b.compare("mysql:old", "a", "nobody", "it's", "many")
	b.compare("mysql:none", "a")
	b.compare("mysql:bad", "a")
}

func TestOptionFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	options := b.write("my.cnf", fmt.Sprintf(`# for the table
[mysqld]
user = nobody
[client]
user = %s
socket = '%s'
[group]
password = "%s" # for this group only
default-character-set = latin1
[other]
user = other
!includedir %s
`, b.db.User, b.db.Socket, b.db.Password, b.dir+"/more"))
	if err := os.Mkdir(b.dir+"/more", 0o755); err != nil {
		t.Fatal(err)
	}
	base := "dbname = mail\noption_file = " + options + "\n" + plainQuery
	b.want(b.open("mysql:"+b.write("group.cf", base+"option_group = group\n")), "a", "x")
	b.wantRetry(b.open("mysql:"+b.write("nogroup.cf", base)), "a")
	b.wantRetry(b.open("mysql:"+b.write("other.cf", base+"option_group = other\n")), "a")
	b.want(b.open("mysql:"+b.write("own.cf", base+"option_group = other\nuser = mail\npassword = "+b.db.Password+"\n")), "a", "x")
	if log := strings.Join(b.takeLog(), "\n"); strings.Contains(log, "secret") {
		t.Errorf("the log has the password:\n%s", log)
	}

	b.write("more/new.cnf", "[other]\nuser=mail\npassword="+b.db.Password+"\n")
	b.want(b.open("mysql:"+b.write("dir.cf", base+"option_group = other\n")), "a", "x")

	// What Postfix overlooks: without the file the settings are not those that
	// were asked for.
	missing := "mysql:" + b.write("missing.cf", b.db.Config()+"option_file = /no/such.cnf\n"+plainQuery)
	if _, err := b.env.Registry.Open(b.env, missing, maptypes.ReadOnly, flags); err == nil || err.Error() != "open option file /no/such.cnf: No such file or directory" {
		t.Errorf("error %v", err)
	}
}

func TestPasswordFromElsewhere(t *testing.T) {
	b := newBench(t)
	t.Setenv("PM_TEST_PASSWORD", b.db.Password)
	secret := b.write("secret", b.db.Password+"\n")
	server := fmt.Sprintf("hosts = unix:%s\nuser = mail\ndbname = mail\n", b.db.Socket) + plainQuery
	b.want(b.open("mysql:"+b.write("file.cf", server+"password_file = "+secret+"\n")), "a", "x")
	b.want(b.open("mysql:"+b.write("env.cf", server+"password = ${env:PM_TEST_PASSWORD}\n")), "a", "x")
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log %q", log)
	}
}

func TestUnusedParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := filepath.Join(b.dir, "t.cf")
	b.open(b.table("t", plainQuery+"pasword = hunter2\ntable = t\ntls_verify_cert = no\nretry_intervall = 5\n"))
	want := fmt.Sprintf("%s, line 6: unused parameter: pasword\n%s, line 9: unused parameter: retry_intervall", path, path)
	if log := strings.Join(b.takeLog(), "\n"); log != want {
		t.Errorf("log:\n%s\nwant\n%s", log, want)
	}
}

func TestBadServerSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for settings, want := range map[string]string{
		"hosts = h:nosuchservice\n":         "unknown port \"nosuchservice\"",
		"charset = utf8; DROP TABLE t\n":    "bad charset",
		"charset =\n":                       "bad string length 0 < 1: charset = ",
		"retry_interval = 0\n":              "invalid retry_interval parameter value 0 < 1",
		"idle_interval = soon\n":            "bad numerical configuration: idle_interval = soon",
		"max_connections = 0\n":             "invalid max_connections parameter value 0 < 1",
		"tls_verify_cert = perhaps\n":       "bad boolean configuration: tls_verify_cert = perhaps",
		"tls_ciphers = HIGH:!aNULL\n":       "tls_ciphers: HIGH is not supported",
		"tls_CAfile = /no/such.pem\n":       "open /no/such.pem: No such file or directory",
		"tls_CApath = /no/such\n":           "open tls_CApath /no/such: No such file or directory",
		"tls_cert_file = /dev/null\n":       "load certificate /dev/null and key /dev/null",
		"tls_CAfile = /dev/null\n":          "no certificate in /dev/null",
		"dbname =\n":                        "bad string length 0 < 1: dbname = ",
		"option_file = " + b.dir + "/ssl\n": "option file: ssl-crl is not supported",
	} {
		b.write("ssl", "[client]\nssl_crl=/etc/crl\n")
		spec := b.table("t", plainQuery+settings)
		if _, err := b.env.Registry.Open(b.env, spec, maptypes.ReadOnly, flags); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", settings, err, want)
		}
	}
	if _, err := b.env.Registry.Open(b.env, b.table("t", plainQuery), maptypes.ReadWrite, flags); err == nil || !strings.HasSuffix(err.Error(), "map requires O_RDONLY access mode") {
		t.Errorf("open for writing: %v", err)
	}
}

func TestUnknownCharset(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", plainQuery+"charset = nosuch\n"))
	b.wantRetry(h, "a")
	want := "connect to mysql server unix:" + b.db.Socket + ": dict_mysql: mysql_set_character_set 'nosuch' failed: Unknown character set: 'nosuch'"
	if log := b.takeLog(); len(log) != 1 || log[0] != want {
		t.Errorf("log %q, want %q", log, want)
	}
	// Tables with the same user and another character set have connections of
	// their own.
	b.want(b.open(b.table("fine", plainQuery)), "a", "x")
}
