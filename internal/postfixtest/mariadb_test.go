package postfixtest

import (
	"strings"
	"testing"
)

func TestMariaDBKeepsWhatItCommitted(t *testing.T) {
	t.Parallel()
	db := StartMariaDB(t, MariaDBPort())
	db.SQL("CREATE TABLE users (name VARCHAR(80) PRIMARY KEY, value VARCHAR(80)); INSERT INTO users VALUES ('alice', 'found');")
	db.Kill()
	db.Start()
	if got := db.SQL("SELECT value FROM users WHERE name = 'alice'"); got != "found\n" {
		t.Errorf("after kill: %q", got)
	}
	db.Restart()
	if got := db.SQL("SELECT value FROM users"); got != "found\n" {
		t.Errorf("after restart: %q", got)
	}

	pf := New(t)
	table := pf.WriteFile("users.cf", db.Config()+"query = SELECT value FROM users WHERE name = '%s'\n")
	r := pf.Postmap(PostfixCommand("postmap"), "-q", "alice", "mysql:"+table)
	if r.Exit != 0 || strings.TrimSpace(r.Stdout) != "found" {
		t.Errorf("postmap: %+v", r)
	}
}
