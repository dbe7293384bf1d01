// Package testenv tells tests what the machine offers and builds the commands under test.
//
// A test that needs a program, a user or a privilege that a laptop may lack starts with
//
//	testenv.Require(t, testenv.Root, testenv.Postfix)
//
// which skips the test with the reason when something is missing. With PROXYMAPD_TEST_REQUIRE_ALL=1, as in CI, a
// missing thing is a failure instead, so that nothing is left out unnoticed.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
)

// RequireAllVar is the environment variable that turns a missing need from a skip into a failure when it is "1".
const RequireAllVar = "PROXYMAPD_TEST_REQUIRE_ALL"

// Need is something that a test cannot do without.
type Need int

// What tests may ask for.
const (
	Root          Need = iota // the test runs as the superuser
	Postfix                   // Postfix's programs, the users postfix and postdrop, and the cdb, lmdb, mysql and pcre maps
	MariaDB                   // the MariaDB server and mariadb-install-db
	PostgreSQL                // a PostgreSQL server (initdb, postgres), and not only its client
	OpenLDAP                  // slapd and OpenLDAP's clients
	Memcached                 // memcached
	Redis                     // redis-server
	CCompiler                 // a C compiler, for builds with cgo
	PostfixLDAP               // Postfix's ldap map
	PostfixPgSQL              // Postfix's pgsql map
	PostfixSQLite             // Postfix's sqlite map
	SQLite                    // the command sqlite3
	ManualPages               // groff and lexgrog, which read manual pages
)

var needs = map[Need]struct {
	what    string // as the skip message names it
	install string // what to do about it
	check   func() error
}{
	Root:       {"root privileges", "run the test as root", checkRoot},
	Postfix:    {"Postfix with its map packages", "apt-get install postfix postfix-cdb postfix-lmdb postfix-mysql postfix-pcre", checkPostfix},
	MariaDB:    {"a MariaDB server", "apt-get install mariadb-server", checkPrograms("mariadbd", "mariadb-install-db")},
	PostgreSQL: {"a PostgreSQL server", "apt-get install postgresql", checkPostgres},
	OpenLDAP:   {"an OpenLDAP server", "apt-get install slapd ldap-utils", checkPrograms("slapd", "slapadd", "ldapsearch", "ldapmodify")},
	Memcached:  {"memcached", "apt-get install memcached", checkPrograms("memcached")},
	Redis:      {"a Redis server", "apt-get install redis-server", checkPrograms("redis-server")},
	CCompiler:  {"a C compiler", "apt-get install gcc libc6-dev", checkPrograms("cc")},

	PostfixLDAP:   {"Postfix's ldap map", "apt-get install postfix-ldap", checkPostfixMap("ldap")},
	PostfixPgSQL:  {"Postfix's pgsql map", "apt-get install postfix-pgsql", checkPostfixMap("pgsql")},
	PostfixSQLite: {"Postfix's sqlite map", "apt-get install postfix-sqlite", checkPostfixMap("sqlite")},
	SQLite:        {"the command sqlite3", "apt-get install sqlite3", checkPrograms("sqlite3")},
	ManualPages:   {"groff and lexgrog", "apt-get install groff-base man-db", checkPrograms("groff", "lexgrog")},
}

// Require skips the test when one of the needs is not met, or fails it when PROXYMAPD_TEST_REQUIRE_ALL=1. The message
// says what is missing and how to get it.
func Require(t testing.TB, list ...Need) {
	t.Helper()
	for _, n := range list {
		if err := Missing(n); err != nil {
			if RequireAll() {
				t.Fatalf("%v (%s=1: a missing need is a failure)", err, RequireAllVar)
			}
			t.Skip(err)
		}
	}
}

// RequireAll reports whether a missing need is a failure, as in CI.
func RequireAll() bool {
	return os.Getenv(RequireAllVar) == "1"
}

// Missing returns nil when the need is met, or else an error that says what is missing and how to get it.
func Missing(n Need) error {
	need, ok := needs[n]
	if !ok {
		return fmt.Errorf("unknown need %d", n)
	}
	if err := need.check(); err != nil {
		return fmt.Errorf("this test needs %s: %w (%s)", need.what, err, need.install)
	}
	return nil
}

// LookProgram finds a program in PATH or in the directories where system daemons live, which are not in the PATH of
// ordinary users.
func LookProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/libexec"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s", name)
}

func checkPrograms(names ...string) func() error {
	return func() error {
		for _, name := range names {
			if _, err := LookProgram(name); err != nil {
				return err
			}
		}
		return nil
	}
}

func checkRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("running as uid %d", uid)
	}
	return nil
}

func checkPostfix() error {
	if err := checkPrograms("postmap", "postconf")(); err != nil {
		return err
	}
	if PostfixDaemonDir() == "" {
		return errors.New("no directory with Postfix's master")
	}
	if _, err := user.Lookup("postfix"); err != nil {
		return err
	}
	if _, err := user.LookupGroup("postdrop"); err != nil {
		return err
	}
	for _, kind := range []string{"cdb", "lmdb", "mysql", "pcre"} {
		if err := checkPostfixMap(kind)(); err != nil {
			return err
		}
	}
	return nil
}

// checkPostfixMap checks for a loadable map type.
func checkPostfixMap(kind string) func() error {
	return func() error {
		_, err := os.Stat(filepath.Join(PostfixShlibDir(), "postfix-"+kind+".so"))
		return err
	}
}

func checkPostgres() error {
	_, err := PostgreSQLDir()
	return err
}
