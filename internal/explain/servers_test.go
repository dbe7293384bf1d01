package explain_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/explain"
	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// marker is in every secret of the tests.
const marker = "mail-secret"

// noMarker fails the test when a text has a secret in it.
func (b *bench) noMarker(what, text string) {
	b.Helper()
	if strings.Contains(text, marker) {
		b.Errorf("%s: a secret is in:\n%s", what, text)
	}
}

// wantAll checks that a text has the given parts in this order, and no secret.
func (b *bench) wantAll(text string, parts ...string) {
	b.Helper()
	b.noMarker(parts[0], text)
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			b.Errorf("not there, or not in this order: %q; in:\n%s", part, text)
			return
		}
		rest = after
	}
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	db := postfixtest.StartMariaDB(t)
	db.SQL("CREATE TABLE t (k VARCHAR(80), v VARCHAR(80)); INSERT INTO t VALUES ('it''s', 'one'), ('it''s', NULL), ('it''s', 'two');")
	tables := b.tables("mysql:" + b.write("my.cf", db.Config()+"query = SELECT v FROM t WHERE k='%s' ORDER BY v\nresult_format = <%s>\n"))
	server := "mysql server unix:" + db.Socket
	got := b.ask(tables, "It's")
	b.wantAll(got, `mysql:DIR/my.cf: lookup of "It's" -> found "<one>,<two>"`,
		`UTF-8 mode: key folded to "it's"`,
		"  asking "+server+" -> answered\n",
		"    waiting for a connection: none is free, a new one may be made\n",
		"    making a new connection, with login\n",
		`    query: SELECT v FROM t WHERE k='it\'s' ORDER BY v -> 2 values`,
		"      value: NULL -> left out\n",
		`      value: "one" -> result so far "<one>"`,
		`      value: "two" -> result so far "<one>,<two>"`,
		`Result: "<one>,<two>"`)
	got = b.ask(tables, "none")
	b.wantAll(got, "an open one is used again", "query: SELECT v FROM t WHERE k='none' ORDER BY v -> 0 values", "Result: not found")
	if strings.Contains(got, "new connection") {
		t.Errorf("the second lookup made a connection:\n%s", got)
	}
	db.Kill()
	got = b.ask(tables, "x")
	b.wantAll(got, "asking "+server+" -> ", "making a new connection", "Result: temporary error")
	b.ask(tables, "x") // a server that is alone may fail once
	b.wantAll(b.ask(tables, "x"), server+" -> not asked: it is down, last tried", "Result: temporary error")
}

// TestMariaDBErrors shows what the server says about a bad query, a bad password, and the list of domains.
func TestMariaDBErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	db := postfixtest.StartMariaDB(t)
	bad := b.tables("mysql:" + b.write("bad.cf", db.Config()+"query = SELECT v FROM nothing WHERE k='%s'\n"))
	b.wantAll(b.ask(bad, "x"), "query: SELECT v FROM nothing WHERE k='x' -> temporary error: ", "doesn't exist", "Result: temporary error")
	denied := b.tables("mysql:" + b.write("denied.cf", strings.Replace(db.Config(), "password = ", "password = wrong-", 1)+"query = SELECT '%s'\n"))
	b.wantAll(b.ask(denied, "x"), "making a new connection -> Access denied", "Result: temporary error")
	domains := b.tables("mysql:" + b.write("domains.cf", db.Config()+"query = SELECT '%s'\ndomain = inline:{here.example=x}\n"))
	b.wantAll(b.ask(domains, "bob@there.example"),
		`  inline:{here.example=x}: lookup of "there.example" -> not found`,
		"is the key in a domain of the parameter domain? -> no: not found, without asking", "Result: not found")
	b.wantAll(b.ask(domains, "bob@here.example"), "parameter domain? -> yes", "query: SELECT 'bob@here.example' -> 1 value")
	parts := b.tables("mysql:" + b.write("parts.cf", db.Config()+"query = SELECT '%d'\n"))
	b.wantAll(b.ask(parts, "bob"), "the key lacks a part", "not found, without asking")
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	db := postfixtest.StartPostgreSQL(t)
	db.SQL("CREATE TABLE t (k text, v text); INSERT INTO t VALUES ('it''s', 'one'); GRANT SELECT ON t TO mail;")
	tables := b.tables("pgsql:" + b.write("pg.cf", db.Config()+"query = SELECT v FROM t WHERE k='%s'\n"))
	b.wantAll(b.ask(tables, "it's"), "asking pgsql server unix:"+db.Dir+" -> answered", "making a new connection",
		"query: SELECT v FROM t WHERE k='it''s' -> 1 value", `value: "one" -> result so far "one"`, `Result: "one"`)
	b.wantAll(b.ask(tables, "x"), "an open one is used again", "-> 0 values", "Result: not found")
	uri := fmt.Sprintf("hosts = postgresql:///mail?host=%s&user=mail&password=%s\nquery = SELECT v FROM nothing WHERE k='%%s'\n", db.Dir, marker)
	b.wantAll(b.ask(b.tables("pgsql:"+b.write("uri.cf", uri)), "x"), "query: SELECT v FROM nothing", `relation "nothing" does not exist`, "Result: temporary error")
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.SQLite)
	b := newBench(t)
	path := filepath.Join(b.dir, "db")
	if out, err := exec.Command("sqlite3", path, "CREATE TABLE t (k TEXT, v TEXT); INSERT INTO t VALUES ('it''s', 'one');").CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
	tables := b.tables("sqlite:" + b.write("lite.cf", "dbpath = "+path+"\nquery = SELECT v FROM t WHERE k='%s'\n"))
	b.wantAll(b.ask(tables, "it's"), "asking sqlite database DIR/db -> answered", "query: SELECT v FROM t WHERE k='it''s' -> 1 value", `Result: "one"`)
}

func TestOpenLDAP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := postfixtest.StartOpenLDAP(t, `dn: dc=example,dc=org
objectClass: domain
dc: example

dn: cn=a,dc=example,dc=org
objectClass: inetOrgPerson
cn: a(b)
cn: a
sn: x
mail: a@example.org

dn: cn=group,dc=example,dc=org
objectClass: groupOfNames
cn: group
member: cn=a,dc=example,dc=org
member: cn=gone,dc=example,dc=org
`)
	settings := fmt.Sprintf("server_host = %s\nversion = 3\nsearch_base = %s\nbind = yes\nbind_dn = %s\nbind_pw = %s\n", server.URL(), server.Suffix, server.RootDN, server.Password)
	noSecret := func(text string) string {
		t.Helper()
		if strings.Contains(text, server.Password) {
			t.Errorf("the password is in:\n%s", text)
		}
		return text
	}
	plain := b.tables("ldap:" + b.write("ldap.cf", settings+"query_filter = (cn=%s)\nresult_attribute = mail\n"))
	b.wantAll(noSecret(b.ask(plain, "a(b)")), "asking ldap server ", "making a new connection, with login",
		`search: base "dc=example,dc=org", scope sub, filter (cn=a\28b\29), attributes mail -> 1 entry`, `entry "cn=a,dc=example,dc=org"`,
		`value: "a@example.org" -> result so far "a@example.org"`, `Result: "a@example.org"`)
	group := b.tables("ldap:" + b.write("group.cf", settings+"query_filter = (cn=%s)\nresult_attribute = mail\nspecial_result_attribute = member\n"))
	b.wantAll(noSecret(b.ask(group, "group")), `level 1: the special attribute member names "cn=a,dc=example,dc=org"`,
		`search: base "cn=a,dc=example,dc=org", scope base, filter (objectClass=*), attributes mail, member -> 1 entry`,
		`names "cn=gone,dc=example,dc=org"`, "error: 32: No such object", `Result: "a@example.org"`)
	wrong := b.tables("ldap:" + b.write("wrong.cf", strings.Replace(settings, "bind_pw = ", "bind_pw = x", 1)+"query_filter = (cn=%s)\nresult_attribute = mail\n"))
	b.wantAll(noSecret(b.ask(wrong, "a")), "making a new connection -> ", "Invalid credentials", "Result: temporary error")
}

func TestMemcached(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := postfixtest.StartMemcached(t)
	tables := b.tables("memcache:" + b.write("mc.cf", "memcache = unix:"+server.Socket+"\nkey_format = p:%s\nbackup = inline:{a=b}\n"))
	b.wantAll(b.ask(tables, "a"), "asking memcache server "+server.Socket+" -> answered", `request: "get p:a\r\n" -> answered`,
		"memcache has no answer; the backup is asked -> not found", `  inline:{a=b}: lookup of "a" -> found "b"`, "the backup's answer is stored", `Result: "b"`)
	again := b.ask(tables, "a")
	b.wantAll(again, "an open one is used again", `Result: "b"`)
	if strings.Contains(again, "inline") && strings.Contains(again, "the backup is asked") {
		t.Errorf("the backup was asked again:\n%s", again)
	}
	b.wantAll(b.ask(tables, "a b"), "name contains space -> not found, without asking")
}

func TestRedis(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Redis)
	b := newBench(t)
	socket := filepath.Join(b.dir, "s")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", b.dir, "--save", "", "--requirepass", marker)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended
		_ = server.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	settings := "hosts = unix:" + socket + "\npassword = " + marker + "\n"
	hash := b.tables("redis:" + b.write("hash.cf", settings+"key_format = domain:%d\nfield_format = %u\n"))
	b.wantAll(b.ask(hash, "bob@example.com"), "asking redis server unix:DIR/s", "making a new connection, with login", `request: HGET "domain:example.com" "bob" -> not found`, "Result: not found")
	wrong := b.tables("redis:" + b.write("wrong.cf", strings.Replace(settings, "password = ", "password = x", 1)+"key_format = %s\n"))
	b.wantAll(b.ask(wrong, "x"), "making a new connection -> ", "Result: temporary error")
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+marker || r.Header.Get("X-Key") != marker || r.FormValue("key") != marker {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"mail": ["%s", "b"]}`, r.FormValue("user"))
	}))
	defer server.Close()
	headers := b.write("headers", "X-Key: "+marker+"\n")
	tables := b.tables("http:" + b.write("http.cf", "url = "+server.URL+"/users/%d?key="+marker+"&user=%s\ntoken = "+marker+"\nheader_file = "+headers+"\nfield = mail\n"))
	host := strings.TrimPrefix(server.URL, "http://")
	b.wantAll(b.ask(tables, "bob@x.example"), "asking http server "+host, "request: GET http://"+host+"/users/x.example?key=...&user=bob%40x.example -> status 200, 32 bytes",
		`value: "bob@x.example"`, `result so far "bob@x.example,b"`, `Result: "bob@x.example,b"`)
	login := b.tables("http:" + b.write("login.cf", "url = "+server.URL+"/%d\nuser = u\npassword = "+marker+"\n"))
	b.wantAll(b.ask(login, "bob@x.example"), "status 403", "Result: configuration error")
}

// TestLineServers asks servers of the types tcp: and socketmap:.
func TestLineServers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					first, err := in.Peek(1)
					if err != nil {
						return
					}
					end, reply := byte('\n'), "200 a%20b\n"
					if first[0] != 'g' {
						end, reply = ',', "9:NOTFOUND ,"
					}
					if _, err := in.ReadString(end); err != nil {
						return
					}
					fmt.Fprint(conn, reply)
				}
			}()
		}
	}()
	address := l.Addr().String()
	b.wantAll(b.plain("a key", "tcp:"+address), "asking tcp server "+address, `reply: "200 a%20b"`, `request: "get a%20key\n" -> answered`, `Result: "a b"`)
	b.wantAll(b.plain("a", "socketmap:inet:"+address+":users"), "asking socketmap server "+address, `request: "7:users a," -> answered`, `reply: "NOTFOUND "`, "Result: not found")
}

// TestSecretsStayOut puts the marker into every secret that a table can have, and looks at what is told when the server
// cannot be reached.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := b.write("secret", marker+"\n")
	options := b.write("options.cnf", "[client]\npassword="+marker+"\n")
	headers := b.write("headers", "X-Key: "+marker+"\n")
	if err := os.Setenv("PROXYMAPD_TEST_SECRET", marker); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Unsetenv("PROXYMAPD_TEST_SECRET") })
	const sql = "dbname = d\nquery = SELECT '%s'\nuser = u\n"
	for name, cf := range map[string]string{
		"mysql:password":          "hosts = unix:/nonexistent\n" + sql + "password = " + marker,
		"mysql:password_file":     "hosts = 127.0.0.1:1\n" + sql + "password_file = " + file,
		"mysql:environment":       "hosts = 127.0.0.1:1\n" + sql + "password = ${env:PROXYMAPD_TEST_SECRET}",
		"mysql:option_file":       "hosts = 127.0.0.1:1\n" + sql + "option_file = " + options,
		"pgsql:password":          "hosts = 127.0.0.1:1\n" + sql + "password = " + marker,
		"pgsql:password_file":     "hosts = unix:/nonexistent\n" + sql + "password_file = " + file,
		"pgsql:uri":               "hosts = postgresql://u:" + marker + "@127.0.0.1:1/d?sslmode=disable\nquery = SELECT '%s'",
		"ldap:bind_pw":            "server_host = ldap://127.0.0.1:1\nsearch_base = dc=x\nversion = 3\nbind_dn = cn=x\nbind_pw = " + marker,
		"ldap:password_file":      "server_host = ldap://127.0.0.1:1\nsearch_base = dc=x\nversion = 3\nbind_dn = cn=x\npassword_file = " + file,
		"redis:password":          "hosts = 127.0.0.1:1\nuser = u\npassword = " + marker,
		"redis:sentinel_password": "hosts = 127.0.0.1:1\nmode = sentinel\nsentinel_master = m\nsentinel_password = " + marker,
		"http:password":           "url = http://127.0.0.1:1/%s\nuser = u\npassword = " + marker,
		"http:token":              "url = http://127.0.0.1:1/%s\ntoken_file = " + file,
		"http:header":             "url = http://127.0.0.1:1/%s\nheader_file = " + headers,
		"http:query":              "url = http://127.0.0.1:1/%s?key=" + marker,
		"memcache:backup":         "memcache = inet:127.0.0.1:1\nbackup = mysql:" + b.write("my.cf", "hosts = 127.0.0.1:1\n"+sql+"password = "+marker+"\n"),
	} {
		typ, what, _ := strings.Cut(name, ":")
		path := b.write(typ+"-"+what+".cf", cf+"\nlookup_timeout = 20\n")
		report, err := explain.Plain(context.Background(), b.tables(typ+":"+path), "key")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if report.Outcome != explain.Temporary {
			t.Errorf("%s: %s", name, report.Outcome)
		}
		text := b.text(report)
		b.noMarker(name, text)
		if !strings.Contains(text, "Connection refused") && !strings.Contains(text, "No such file or directory") {
			t.Errorf("%s: no word about the server:\n%s", name, text)
		}
		var json strings.Builder
		if err := report.WriteJSON(&json); err != nil {
			t.Fatal(err)
		}
		b.noMarker(name, json.String())
	}
}
