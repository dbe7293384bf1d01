package sidebyside

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/streamtest"
)

// sqlRows returns all keys and values as the rows of an INSERT statement.
func sqlRows() string {
	var text strings.Builder
	for i := range keyCount {
		fmt.Fprintf(&text, ",('%s','%s')", key(i), value(i))
	}
	return text.String()[1:]
}

func createSQL() string {
	return "CREATE TABLE bench (k VARCHAR(80) PRIMARY KEY, v VARCHAR(80)); INSERT INTO bench VALUES " + sqlRows() + ";"
}

// servers are the tables that ask a server.
func (s *site) servers() []row {
	var rows []row
	add := func(name, table, must string, clients int, who ...contestant) {
		rows = append(rows, row{
			name: fmt.Sprintf("%s, %d clients", name, clients), who: who, must: must,
			load: load{clients: clients, requests: lookups(table, someKeys(1000)), begin: found},
		})
	}
	if wanted("mysql") {
		fast, slow := s.mysql()
		add("mysql", fast, "2", 16, ours, theirs)
		add("mysql", fast, "2", 64, ours, theirs)
		add("mysql 50 ms", slow, "4, 65ms", 16, ours, theirs)
		add("mysql 50 ms", slow, "15, 65ms", 64, ours, theirs)
	}
	if wanted("pgsql") {
		server := postfixtest.StartPostgreSQL(s)
		server.SQL(createSQL() + " GRANT SELECT ON bench TO mail;")
		add("pgsql", s.approve("pgsql:"+s.write("pgsql.cf", server.Config()+query)), "2", 16, ours, theirs)
	}
	if wanted("ldap") {
		server := postfixtest.StartOpenLDAP(s, entries())
		add("ldap", s.approve("ldap:"+s.write("ldap.cf", fmt.Sprintf("server_host = %s\nversion = 3\nsearch_base = %s\nbind = no\n"+
			"query_filter = (mailacceptinggeneralid=%%s)\nresult_attribute = maildrop\n", server.URL(), server.Suffix))), "2", 16, ours, theirs)
	}
	if wanted("socketmap") {
		server := streamtest.Listen(s, "unix", answerSocketmap)
		s.open(filepath.Dir(server.Addr), 0o755)
		s.open(server.Addr, 0o666)
		add("socketmap", s.approve("socketmap:unix:"+server.Addr+":bench"), "2", 16, ours, theirs)
	}
	return rows
}

const query = "query = SELECT v FROM bench WHERE k='%s'\n"

// mysql starts two servers: one whose answers are fast, to which ours may have no more connections than Postfix's, which is
// one for each table, and one whose answers take 50 ms, to which it may have as many as there are clients. Postfix's does
// not know the limit.
func (s *site) mysql() (fast, slow string) {
	quick, sleepy := postfixtest.StartMariaDB(s), postfixtest.StartMariaDB(s)
	quick.SQL(createSQL())
	sleepy.SQL(createSQL())
	fast = s.approve("mysql:" + s.write("fast.cf", quick.Config()+"max_connections = 1\n"+query))
	slow = s.approve("mysql:" + s.write("slow.cf", sleepy.Config()+"max_connections = 64\n"+
		"query = SELECT v FROM bench WHERE k='%s' AND SLEEP(0.05)=0\n"))
	return fast, slow
}

// open lets the workers at a file.
func (s *site) open(path string, mode os.FileMode) {
	if err := os.Chmod(path, mode); err != nil {
		s.Fatal(err)
	}
}

// entries returns all keys and values as the LDIF text of a directory.
func entries() string {
	var text strings.Builder
	text.WriteString("dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n")
	for i := range keyCount {
		fmt.Fprintf(&text, "\ndn: uid=%d,dc=example,dc=org\nobjectClass: account\nobjectClass: mailthing\nuid: %[1]d\n"+
			"mailacceptinggeneralid: %s\nmaildrop: %s\n", i, key(i), value(i))
	}
	return text.String()
}

// answerSocketmap answers every request of one connection with the same value.
func answerSocketmap(conn net.Conn) {
	b := make([]byte, 4096)
	for {
		if _, err := conn.Read(b); err != nil {
			return
		}
		if _, err := conn.Write([]byte("10:OK mailbox,")); err != nil {
			return
		}
	}
}
