package postfixtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// MariaDB is a private database server. It listens on a UNIX socket that everybody may connect to, and, when Port is
// asked for with MariaDBPort, on 127.0.0.1 as well. Stop and the end of the test remove its files.
type MariaDB struct {
	Dir    string // data directory and configuration; removed at the end of the test
	Socket string
	Port   int // 0: no TCP

	// A user of the database `mail` with all rights in it.
	User, Password, Database string

	t     testing.TB
	flags []string
	cmd   *exec.Cmd
	done  chan struct{}
}

// MariaDBOption changes a server before it starts.
type MariaDBOption func(*MariaDB)

// MariaDBPort makes the server listen on a free TCP port of 127.0.0.1.
func MariaDBPort() MariaDBOption {
	return func(m *MariaDB) { m.Port = FreePort(m.t) }
}

// MariaDBFlag adds an option to the server's command line, such as "--max-connections=5".
func MariaDBFlag(flag string) MariaDBOption {
	return func(m *MariaDB) { m.flags = append(m.flags, flag) }
}

// StartMariaDB starts a private server with an empty database `mail`, and returns when it answers.
func StartMariaDB(t testing.TB, options ...MariaDBOption) *MariaDB {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.MariaDB)
	dir, err := os.MkdirTemp("", "pmdb")
	if err != nil {
		t.Fatal(err)
	}
	m := &MariaDB{
		Dir: dir, Socket: filepath.Join(dir, "s"),
		User: "mail", Password: "mail-secret", Database: "mail", t: t,
	}
	t.Cleanup(m.cleanup)
	for _, option := range options {
		option(m)
	}
	m.copyTemplate()
	m.Start()
	m.admin("", "CREATE DATABASE mail; CREATE USER mail IDENTIFIED BY 'mail-secret'; GRANT ALL ON mail.* TO mail;")
	return m
}

func (m *MariaDB) cleanup() {
	m.Kill()
	if m.t.Failed() {
		text, err := os.ReadFile(m.errorLog())
		m.t.Logf("log of the database server: %s %v", text, err)
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		m.t.Error(err)
	}
}

func (m *MariaDB) errorLog() string { return filepath.Join(m.Dir, "server.err") }

// account is the user the server runs as: it refuses to run as root.
func account(t testing.TB) (name string, uid, gid int) {
	t.Helper()
	u, err := user.Lookup("mysql")
	if err != nil {
		t.Fatal(err)
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u.Username, uid, gid
}

// smallFiles keeps a data directory at a few megabytes.
var smallFiles = []string{
	"--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:4M:autoextend", "--innodb-undo-tablespaces=0",
	"--aria-log-file-size=8M",
}

// Start starts the server, again after Stop or Kill, and returns when it answers.
func (m *MariaDB) Start() {
	m.t.Helper()
	m.start()
	deadline := time.Now().Add(patience)
	for {
		_, err := m.query("", "SELECT 1")
		if err == nil {
			return
		}
		select {
		case <-m.done:
			m.t.Fatalf("the database server has ended: %v", m.cmd.ProcessState)
		default:
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the database server does not answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (m *MariaDB) start() {
	m.t.Helper()
	if m.cmd != nil {
		m.t.Fatal("the database server runs already")
	}
	name, _, _ := account(m.t)
	args := append([]string{
		"--no-defaults", "--user=" + name, "--datadir=" + filepath.Join(m.Dir, "data"), "--socket=" + m.Socket,
		"--pid-file=" + filepath.Join(m.Dir, "data", "pid"), "--log-error=" + m.errorLog(), "--skip-log-bin",
		"--innodb-buffer-pool-size=8M", "--performance-schema=0",
	}, smallFiles...)
	if m.Port == 0 {
		args = append(args, "--skip-networking")
	} else {
		args = append(args, "--bind-address=127.0.0.1", "--skip-name-resolve", fmt.Sprintf("--port=%d", m.Port))
	}
	path, err := testenv.LookProgram("mariadbd")
	if err != nil {
		m.t.Fatal(err)
	}
	m.cmd = exec.Command(path, append(args, m.flags...)...)
	// The server ends with the test binary, even when that is killed.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // its exit status is in ProcessState
		close(done)
	}(m.cmd, m.done)
}

// Stop ends the server in good order (SIGTERM).
func (m *MariaDB) Stop() { m.end(syscall.SIGTERM) }

// Kill ends the server at once (SIGKILL).
func (m *MariaDB) Kill() { m.end(syscall.SIGKILL) }

func (m *MariaDB) end(sig syscall.Signal) {
	m.t.Helper()
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(sig) // fails only when it has ended
	select {
	case <-m.done:
	case <-time.After(patience):
		m.t.Errorf("the database server does not end on %v", sig)
		_ = m.cmd.Process.Kill()
		<-m.done
	}
	m.cmd = nil
}

// Restart ends the server in good order and starts it again.
func (m *MariaDB) Restart() {
	m.t.Helper()
	m.Stop()
	m.Start()
}

// Freeze stops the server with SIGSTOP: it keeps its connections and answers nothing until Thaw.
func (m *MariaDB) Freeze() {
	m.t.Helper()
	FreezeProcess(m.t, m.cmd.Process.Pid)
}

// Thaw lets a frozen server go on.
func (m *MariaDB) Thaw() {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		m.t.Fatal(err)
	}
}

// SQL runs statements as the server's administrator in the database `mail` and returns the rows, one a line, with tabs
// between the columns.
func (m *MariaDB) SQL(statements string) string {
	m.t.Helper()
	return m.admin(m.Database, statements)
}

func (m *MariaDB) admin(database, statements string) string {
	m.t.Helper()
	out, err := m.query(database, statements)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func (m *MariaDB) query(database, statements string) (string, error) {
	client, err := testenv.LookProgram("mariadb")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(client, "--no-defaults", "--batch", "--skip-column-names", "--user=root", "--socket="+m.Socket,
		"--connect-timeout=5", "--database="+database)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", statements, err, out)
	}
	return string(out), nil
}

// Config returns the lines of a mysql table's .cf file that name this server, its database and its user.
func (m *MariaDB) Config() string {
	return fmt.Sprintf("hosts = unix:%s\nuser = %s\npassword = %s\ndbname = %s\n", m.Socket, m.User, m.Password, m.Database)
}
