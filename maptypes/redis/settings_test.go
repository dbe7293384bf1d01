package redis_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestBadSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		settings string
		mode     maptypes.Mode
		flags    maptypes.Flags
		want     string
	}{
		{"mode = ring\n", maptypes.ReadOnly, 0, "bad mode: ring (specify single, sentinel or cluster)"},
		{"mode = sentinel\n", maptypes.ReadOnly, 0, "mode = sentinel needs sentinel_master"},
		{"mode = cluster\ndb = 1\n", maptypes.ReadOnly, 0, "a cluster has no database but 0: db = 1"},
		{"mode = cluster\nhosts = unix:/x\n", maptypes.ReadOnly, 0, "hosts: a cluster has no UNIX sockets: unix:/x"},
		{"mode = cluster\nwait_replicas = 1\n", maptypes.ReadWrite, 0, "T: wait_replicas is not possible with mode = cluster"},
		{"hosts = a:b:c:nope\n", maptypes.ReadOnly, 0, ""},
		{"hosts = a:nope\n", maptypes.ReadOnly, 0, `hosts: unknown port "nope" in "a:nope"`},
		{"hosts = a b\n", maptypes.Create, 0, "T: a table that is written has one host; for more specify mode = sentinel or mode = cluster"},
		{"result_format = x%s\n", maptypes.Create, 0, "T: a table that is written must have result_format = %s"},
		{"ttl = 1\nfield_format = %s\n", maptypes.ReadOnly, 0, "T: ttl is for strings; the fields of a hash have none"},
		{"ttl = soon\n", maptypes.ReadOnly, 0, "F: bad numerical configuration: ttl = soon"},
		{"key_format =\n", maptypes.ReadOnly, 0, "F: bad string length 0 < 1: key_format = "},
		{"key_format = %q\n", maptypes.ReadOnly, 0, "db_common_parse: F: Invalid query template: %q"},
		{"user = joe\n", maptypes.ReadOnly, 0, "user needs password or password_file"},
		{"tls_verify_cert = no\n", maptypes.ReadOnly, 0, "tls_ parameters need tls = yes"},
		{"tls = yes\ntls_CAfile = /no/such\n", maptypes.ReadOnly, 0, "open /no/such: No such file or directory"},
		{"password_file = /no/such\n", maptypes.ReadOnly, 0, "F: open password_file /no/such: No such file or directory"},
		{"hosts = localhost\n", maptypes.ReadOnly, maptypes.FlagNoUnauth, "T map is not allowed for security-sensitive data without password, tls or UNIX socket"},
		{"hosts = unix:/x\n", maptypes.ReadOnly, maptypes.FlagNoUnauth, ""},
		{"password = x\n", maptypes.ReadOnly, maptypes.FlagNoUnauth, ""},
	} {
		spec := b.table("t", c.settings)
		h, err := b.env.Registry.Open(b.env, spec, c.mode, c.flags)
		if err == nil {
			h.Close()
		}
		got := ""
		if err != nil {
			got = strings.ReplaceAll(strings.ReplaceAll(err.Error(), spec, "T"), strings.TrimPrefix(spec, "redis:"), "F")
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.settings, got, c.want)
		}
		if err != nil && !errors.Is(err, maptypes.ErrConfig) && !strings.HasPrefix(got, "open ") {
			t.Errorf("%q: %v is no configuration error", c.settings, err)
		}
	}
	b.takeLog()
	b.open("t", "hots = x\nsentinel_master = y\n", maptypes.ReadOnly)
	if log := b.takeLog(); len(log) != 1 || !strings.HasSuffix(log[0], "t.cf, line 1: unused parameter: hots") {
		t.Errorf("log %q", log)
	}
}

func TestLogin(t *testing.T) {
	s, b := newServer(t, "--requirepass", "default-secret"), newBench(t)
	s.do("-a", "default-secret", "SET", "a", "x")
	s.do("-a", "default-secret", "ACL", "SETUSER", "mail", "on", ">mail-secret", "~*", "+@all")
	file := b.dir + "/password"
	if err := os.WriteFile(file, []byte("mail-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_TEST_PASSWORD", "default-secret")
	at := "hosts = " + s.address() + "\n"
	for name, settings := range map[string]string{
		"password":    "password = default-secret\n",
		"environment": "password = ${env:REDIS_TEST_PASSWORD}\n",
		"user":        "user = mail\npassword = mail-secret\n",
		"file":        "user = mail\npassword_file = " + file + "\n",
	} {
		b.want(b.open(name, at+settings, maptypes.ReadOnly), "a", "x")
	}
	b.takeLog()
	for name, c := range map[string]struct{ settings, log string }{
		"none":  {"", "NOAUTH Authentication required."},
		"wrong": {"user = mail\npassword = wrong-secret\n", "WRONGPASS invalid username-password pair or user is disabled."},
	} {
		b.wantRetry(b.open(name, at+c.settings, maptypes.ReadOnly), "a")
		log := strings.Join(b.takeLog(), "\n")
		if !strings.HasPrefix(log, "connect to redis server "+s.address()+": ") || !strings.Contains(log, c.log) || strings.Contains(log, "-secret") {
			t.Errorf("%s: log %q", name, log)
		}
	}
}
