package pgsql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// latin1 is the encoding of Postfix before version 3.8.
const latin1 = "\nencoding = LATIN1\n"

func TestTablesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	domains := b.write("domains", "file.org, !neg.org\n# comment\nexample.net\n")
	keys := []string{
		"a", "A", "none", "empty", "null", "many", "addr", "user@example.com", "user", "@example.com", "user@", "@", "it's", "back\\slash", "q\"q", "%",
		"' OR '1'='1", "x\\", "", "a b", "user@EXAMPLE.COM", "user@file.org", "user@neg.org", "a@b@example.net", "user@.example..com.",
		"é", "€",
	}
	for name, settings := range map[string]string{
		"plain":       "query = SELECT v FROM t WHERE k='%s'",
		"like":        "query = SELECT v FROM t WHERE k LIKE '%s%%'",
		"parts":       "query = SELECT v FROM t WHERE k='%u' OR k = '%d'",
		"upper":       "query = SELECT v FROM t WHERE k='%U@%D' OR k = '%S'",
		"user":        "query = SELECT v FROM t WHERE k='%u'",
		"labels":      "query = SELECT '%1' || '-' || '%2'",
		"limit one":   "query = SELECT v, k FROM t WHERE k='%s'\nexpansion_limit = 1",
		"notice":      "query = SELECT chatty('%s')",
		"label 3":     "query = SELECT '%3'",
		"format":      "query = SELECT v FROM t WHERE k='%s'\nresult_format = <%s>",
		"formatparts": "query = SELECT v FROM t WHERE k='%s'\nresult_format = %u at %d, 100%%",
		"formatuser":  "query = SELECT v FROM t WHERE k='%s'\nresult_format = (%u)",
		"formatkey":   "query = SELECT v FROM t WHERE k='%s'\nresult_format = %s|%S|%U|%D|%1|%2",
		"columns":     "query = SELECT v, k, NULL, '', 1 FROM t WHERE k='%s'",
		"legacy":      "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = AND v <> 'x' ORDER BY v DESC",
		"limit":       "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = 2",
		"negative":    "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = -1",
		"domain":      "query = SELECT v FROM t WHERE k='%u'\ndomain = example.COM, !x.org,inline:{inl.org=x} " + domains,
		"notdomain":   "query = SELECT v FROM t WHERE k='%u'\ndomain = !" + domains + " !!example.com",
		"faildomain":  "query = SELECT v FROM t WHERE k='%u'\ndomain = example.com, fail:x",
		"two":         "query = SELECT v FROM t WHERE k='%s'; SELECT 'second'",
		"literal":     "query = SELECT 'constant'",
	} {
		b.compare(b.table(strings.ReplaceAll(name, " ", ""), settings+latin1), keys...)
	}
}

// TestErrorsAgainstPostfix makes the server refuse queries. A key that is there
// comes first, because Postfix stays away from a server after an error.
func TestErrorsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, settings := range map[string]string{
		"column":   "query = SELECT nosuch FROM t WHERE k='%s'",
		"table":    "query = SELECT v FROM nosuch WHERE k='%s'",
		"syntax":   "query = SELECTED '%s'",
		"division": "query = SELECT 1 / length('%s') / 0",
		"later":    "query = SELECT 1 / n FROM (VALUES (1), (0)) AS x (n) WHERE '%s' <> ''",
		"second":   "query = SELECT v FROM t WHERE k='%s'; SELECT 1 / 0",
		"number":   "query = SELECT v FROM t WHERE length(k) = '%s'",
	} {
		for _, key := range []string{"a", "it's", ""} {
			b.compare(b.table(name, settings+latin1), key)
		}
	}
}

func TestBadSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const query = "query = SELECT v FROM t WHERE k='%s'\n"
	for name, settings := range map[string]string{
		"badquery":  "query = SELECT '%x'",
		"lastchar":  "query = SELECT '%",
		"badformat": query + "result_format = %0",
		"noquery":   "table = t",
		"notable":   "",
		"badint":    query + "expansion_limit = 1x",
		"nofile":    query + "domain = /no/such/file",
		"nopattern": query + "domain = a ! b",
		"noequals":  query + "password",
	} {
		b.compare(b.table(name, settings), "a")
	}
	b.compare("pgsql:"+b.dir+"/missing.cf", "a")
}

// TestHostsAgainstPostfix names the server in all ways.
func TestHostsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.PostgreSQLPort())
	local := newBench(t)
	const query = "query = SELECT v FROM t WHERE k='%s'\nuser = mail\npassword = mail-secret\ndbname = mail\n"
	port := fmt.Sprint(b.db.Port)
	for name, hosts := range map[string]string{
		"inet":     "inet:127.0.0.1:" + port,
		"host":     "127.0.0.1:" + port,
		"name":     "localhost:" + port,
		"uri":      "postgresql://mail:mail-secret@127.0.0.1:" + port + "/mail",
		"short":    "postgres://mail:mail-secret@127.0.0.1:" + port + "/mail?sslmode=disable&connect_timeout=3",
		"dir":      "postgresql:///mail?host=" + b.db.Dir + "&port=" + port + "&user=mail&password=mail-secret",
		"several":  "127.0.0.1:1, inet:127.0.0.1:" + port,
		"unix":     "unix:" + local.db.Dir,
		"path":     local.db.Dir,
		"inetpath": "inet:" + local.db.Dir,
	} {
		spec := "pgsql:" + b.write(strings.ReplaceAll(name, " ", "")+".cf", "hosts = "+hosts+"\n"+query)
		want, _ := b.postmap(spec, "a", "none")
		if name == "short" { // a form that Postfix knows since version 3.10
			want = "a\tx\n"
		}
		if got, log, _ := b.ours(spec, "a", "none"); got != want || got != "a\tx\n" {
			t.Errorf("%s: %q, want %q (%q)", name, got, want, log)
		}
	}
	for name, settings := range map[string]string{
		"keywords": "dbname = dbname=mail sslmode=disable port=" + port + "\nhosts = 127.0.0.1\n",
		"uri":      "dbname = postgresql://nobody@/mail?sslmode=disable\nhosts = 127.0.0.1:" + port + "\n",
	} {
		spec := "pgsql:" + b.write("db"+name+".cf", "query = SELECT v FROM t WHERE k='%s'\nuser = mail\npassword = mail-secret\n"+settings)
		want, _ := b.postmap(spec, "a")
		if got, log, _ := b.ours(spec, "a"); got != want || got != "a\tx\n" {
			t.Errorf("%s: %q, want %q (%q)", name, got, want, log)
		}
	}
}

// TestUnreachableAgainstPostfix compares what is logged about servers.
func TestUnreachableAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.PostgreSQLPort())
	const query = "query = SELECT v FROM t WHERE k='%s'\n"
	port := fmt.Sprint(b.db.Port)
	for name, settings := range map[string]string{
		"socket":   "hosts = unix:/no/such/directory\nuser = mail\npassword = x\ndbname = mail\n",
		"refused":  "hosts = 127.0.0.1:1\nuser = mail\npassword = x\ndbname = mail\n",
		"password": "hosts = 127.0.0.1:" + port + "\nuser = mail\npassword = wrong\ndbname = mail\n",
		"database": "hosts = 127.0.0.1:" + port + "\nuser = mail\npassword = mail-secret\ndbname = nosuch\n",
		"encoding": "hosts = 127.0.0.1:" + port + "\nuser = mail\npassword = mail-secret\ndbname = mail\n",
	} {
		spec := "pgsql:" + b.write(name+".cf", settings+query)
		_, want := b.postmap(spec, "a")
		if name == "encoding" { // before version 3.8 it could not be set
			spec = "pgsql:" + b.write(name+".cf", settings+query+"encoding = nonsense\n")
			want = []string{"warning: connect to pgsql server 127.0.0.1:" + port + ": dict_pgsql: cannot set the encoding to nonsense"}
		}
		got, log, _ := b.ours(spec, "a")
		first, _, _ := strings.Cut(want[0], "?")
		if got != "" || len(log) == 0 || log[0] != first {
			t.Errorf("%s: %q\nlog  %q\nwant %q", name, got, log, first)
		}
	}
}

// TestRandomKeysAgainstPostfix looks for keys that are quoted otherwise.
func TestRandomKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "'", "\"", "\\", "`", "%", "_", "\r", "\x1a", ";", "-- ", "/*", "é", "€", "@", "日", "😀", "$$", "E'", "\xff", "\xc3"}
	var keys []string
	for range 200 {
		var key strings.Builder
		for range 1 + random.IntN(12) {
			key.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		keys = append(keys, key.String())
	}
	for name, settings := range map[string]string{
		"standard": "query = SELECT length('%s') || '%s'" + latin1,
		"upper":    "query = SELECT upper('it''s ' || '%s') AS \"'\"" + latin1,
	} {
		b.compare(b.table(name, settings), keys...)
	}
	b.db.SQL("ALTER ROLE mail SET standard_conforming_strings = off")
	b.compare(b.table("backslash", "query = SELECT length('%s') || '%s'"+latin1), keys...)
}

// TestValuesAgainstPostfix checks that values of all types arrive as the server
// prints them.
func TestValuesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.compare(b.table("values", `query = SELECT 1, -2::bigint, 1.50::numeric, 1e20::float8, 0.1::float4, true, false, '2020-01-02'::date, '2020-01-02 03:04:05.6'::timestamptz,
	 '1 day 2 hours'::interval, 'abc'::bytea, '\x00ff'::bytea, ARRAY['a','b c'], 'x'::char(5), '192.0.2.1'::inet, '{"a": 1}'::json, ROW(1, 'x'), NULL, '' WHERE '%s' <> ''`+latin1), "a")
}
