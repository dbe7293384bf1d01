package test

import (
	"fmt"
	"net"
	"strings"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// addTables makes a table of every type, with the same keys and values where the type allows it.
func (m *mapBench) addTables() {
	m.addFiles()
	m.addPatterns()
	m.addDatabases()
	m.addServers()
}

func (m *mapBench) addFiles() {
	m.add("static", "static:value")
	text := source()
	m.add("texthash", "texthash:"+m.write("texthash", text))
	for _, kind := range []string{"hash", "btree", "cdb", "lmdb"} {
		spec := kind + ":" + m.write(kind, text)
		m.makeWith(theirs, spec)
		m.add(kind, spec)
	}
	bolt := "bolt:" + m.write("bolt", text)
	m.makeWith(ours, bolt)
	m.add("bolt", bolt)
	m.add("unionmap", "unionmap:{static:a, static:b}")
	m.add("pipemap", "pipemap:{static:a, static:b}")
	m.add("randmap", "randmap:{a, b}")
	var roots []string
	for range benchKeys {
		roots = append(roots, "root")
	}
	m.add("unix", "unix:passwd.byname", roots...)
}

// addPatterns makes tables of rules, of which a key tries half on the average.
func (m *mapBench) addPatterns() {
	var rules, networks strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rules, "/^user([0-9]+)%02d@bench\\.example$/ mailbox-${1}-%d\n", i, i)
	}
	var addresses []string
	for i := range benchKeys {
		addresses = append(addresses, fmt.Sprintf("10.%d.%d.%d", i/1000%4, i%250, i%200))
	}
	for i := range 1000 {
		fmt.Fprintf(&networks, "10.%d.%d.0/24 net-%d\n", i/250, i%250, i)
	}
	m.add("regexp", "regexp:"+m.write("regexp", rules.String()))
	m.add("pcre", "pcre:"+m.write("pcre", rules.String()))
	m.add("cidr", "cidr:"+m.write("cidr", networks.String()), addresses...)
}

// rows returns all keys and values as the rows of an INSERT statement.
func rows() string {
	var text strings.Builder
	for i := range benchKeys {
		fmt.Fprintf(&text, ",('%s','%s')", benchKey(i), benchValue(i))
	}
	return text.String()[1:]
}

func (m *mapBench) addDatabases() {
	const query = "query = SELECT v FROM bench WHERE k='%s'\n"
	create := "CREATE TABLE bench (k VARCHAR(80) PRIMARY KEY, v VARCHAR(80)); INSERT INTO bench VALUES " + rows() + ";"

	mariadb := postfixtest.StartMariaDB(m.B)
	mariadb.SQL(create)
	m.add("mysql", "mysql:"+m.write("mysql.cf", mariadb.Config()+query))

	postgresql := postfixtest.StartPostgreSQL(m.B)
	postgresql.SQL(create + " GRANT SELECT ON bench TO mail;")
	m.add("pgsql", "pgsql:"+m.write("pgsql.cf", postgresql.Config()+query))

	path := m.write("sqlite.db", "")
	if got := m.sites[ours].Run(create, "sqlite3", "-bail", path); got.Exit != 0 {
		m.Fatalf("sqlite3: %+v", got)
	}
	m.add("sqlite", "sqlite:"+m.write("sqlite.cf", "dbpath = "+path+"\n"+query))

	directory := postfixtest.StartOpenLDAP(m.B, entries())
	m.add("ldap", "ldap:"+m.write("ldap.cf", fmt.Sprintf("server_host = %s\nversion = 3\nsearch_base = %s\nbind = no\n"+
		"query_filter = (mailacceptinggeneralid=%%s)\nresult_attribute = maildrop\n", directory.URL(), directory.Suffix)))
}

// entries returns all keys and values as the LDIF text of a directory.
func entries() string {
	var text strings.Builder
	text.WriteString("dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n")
	for i := range benchKeys {
		fmt.Fprintf(&text, "\ndn: uid=%d,dc=example,dc=org\nobjectClass: account\nobjectClass: mailthing\nuid: %[1]d\n"+
			"mailacceptinggeneralid: %s\nmaildrop: %s\n", i, benchKey(i), benchValue(i))
	}
	return text.String()
}

func (m *mapBench) addServers() {
	cache := startMemcached(m.B)
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", cache))
	if err != nil {
		m.Fatal(err)
	}
	defer conn.Close()
	m.fillServer(conn, func(i int) string {
		return fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", benchKey(i), len(benchValue(i)), benchValue(i))
	}, "STORED\r\n")
	m.add("memcache", "memcache:"+m.write("memcache.cf", fmt.Sprintf("memcache = inet:127.0.0.1:%d\n", cache)))
	m.add("redis", "redis:"+m.write("redis.cf", fmt.Sprintf("hosts = 127.0.0.1:%d\n", m.startRedis())))

	netstrings, lines := map[string]string{}, map[string]string{}
	for i := range benchKeys {
		netstrings["bench "+benchKey(i)] = "OK " + benchValue(i)
		lines[benchKey(i)] = "200 " + benchValue(i)
	}
	m.add("socketmap", "socketmap:inet:"+m.listen(serveSocketmap, netstrings)+":bench")
	m.add("tcp", "tcp:"+m.listen(serveTCP, lines))
}

// listen starts a server of our own and returns its address.
func (m *mapBench) listen(serve func(net.Conn, map[string]string), answers map[string]string) string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { l.Close() })
	go acceptAll(l, answers, serve)
	return l.Addr().String()
}
