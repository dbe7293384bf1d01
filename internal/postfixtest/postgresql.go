package postfixtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// PostgreSQL is a private database server. It listens on a UNIX socket that everybody may connect to, and, when Port is
// asked for with PostgreSQLPort, on 127.0.0.1 as well. The end of the test removes its files.
type PostgreSQL struct {
	Dir  string // of the UNIX socket; removed at the end of the test
	Port int    // 0: no TCP

	// A user of the database `mail` with all rights in it.
	User, Password, Database string

	t        testing.TB
	settings []string
	bin      string
	account  *syscall.Credential
	cmd      *exec.Cmd
	done     chan struct{}
}

// PostgreSQLOption changes a server before it starts.
type PostgreSQLOption func(*PostgreSQL)

// PostgreSQLPort makes the server listen on a free TCP port of 127.0.0.1.
func PostgreSQLPort() PostgreSQLOption {
	return func(p *PostgreSQL) { p.Port = FreePort(p.t) }
}

// PostgreSQLSetting adds a setting, such as "max_connections=5".
func PostgreSQLSetting(setting string) PostgreSQLOption {
	return func(p *PostgreSQL) { p.settings = append(p.settings, setting) }
}

// StartPostgreSQL starts a private server with an empty database `mail`, and returns when it answers.
func StartPostgreSQL(t testing.TB, options ...PostgreSQLOption) *PostgreSQL {
	t.Helper()
	testenv.Require(t, testenv.Root, testenv.PostgreSQL)
	bin, err := testenv.PostgreSQLDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pmpg")
	if err != nil {
		t.Fatal(err)
	}
	p := &PostgreSQL{Dir: dir, User: "mail", Password: "mail-secret", Database: "mail", t: t, bin: bin}
	t.Cleanup(p.cleanup)
	for _, option := range options {
		option(p)
	}
	p.initialize()
	p.Start()
	p.admin("postgres", "CREATE ROLE mail LOGIN PASSWORD 'mail-secret'")
	p.admin("postgres", "CREATE DATABASE mail OWNER mail")
	return p
}

// initialize makes the data directory, which belongs to the user that the server runs as: it refuses to run as root.
func (p *PostgreSQL) initialize() {
	p.t.Helper()
	account, err := credential("postgres")
	if err == nil {
		p.account = account
		err = os.Chown(p.Dir, int(account.Uid), int(account.Gid))
	}
	if err == nil {
		err = os.Chmod(p.Dir, 0o755) // clients of every user reach the socket
	}
	if err != nil {
		p.t.Fatalf("make the database directory: %v", err)
	}
	cmd := p.command("initdb", "--pgdata="+p.data(), "--encoding=UTF8", "--locale=C", "--auth=trust", "--username=postgres", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("initdb: %v: %s", err, out)
	}
	const access = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(p.data(), "pg_hba.conf"), []byte(access), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// credential returns the ids of a user of the system.
func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// command returns a program of the server's, as its user and in its directory.
func (p *PostgreSQL) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	return cmd
}

func (p *PostgreSQL) data() string { return filepath.Join(p.Dir, "data") }

func (p *PostgreSQL) errorLog() string { return filepath.Join(p.Dir, "server.err") }

func (p *PostgreSQL) cleanup() {
	p.Kill()
	if p.t.Failed() {
		text, err := os.ReadFile(p.errorLog())
		p.t.Logf("log of the database server: %s %v", text, err)
	}
	if err := os.RemoveAll(p.Dir); err != nil {
		p.t.Error(err)
	}
}

// Start starts the server, again after Stop or Kill, and returns when it answers.
func (p *PostgreSQL) Start() {
	p.t.Helper()
	p.start()
	deadline := time.Now().Add(patience)
	for {
		_, err := p.query("postgres", "SELECT 1")
		if err == nil {
			return
		}
		select {
		case <-p.done:
			p.t.Fatalf("the database server has ended: %v", p.cmd.ProcessState)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the database server does not answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *PostgreSQL) start() {
	p.t.Helper()
	if p.cmd != nil {
		p.t.Fatal("the database server runs already")
	}
	settings := []string{
		"unix_socket_directories=" + p.Dir, "listen_addresses=", "fsync=off", "shared_buffers=4MB", "max_wal_size=32MB", "logging_collector=off",
	}
	if p.Port != 0 {
		settings = append(settings, "listen_addresses=127.0.0.1", fmt.Sprintf("port=%d", p.Port))
	}
	args := []string{"-D", p.data()}
	for _, setting := range append(settings, p.settings...) {
		args = append(args, "-c", setting)
	}
	p.cmd = p.command("postgres", args...)
	// The server ends with the test binary, even when that is killed.
	p.cmd.SysProcAttr.Setsid, p.cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	log, err := os.OpenFile(p.errorLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // its exit status is in ProcessState
		close(done)
	}(p.cmd, p.done)
}

// Stop ends the server in good order, and its clients with it (SIGINT, a "fast shutdown").
func (p *PostgreSQL) Stop() { p.end(syscall.SIGINT) }

// Kill ends the server and all its processes at once (SIGKILL).
func (p *PostgreSQL) Kill() { p.end(syscall.SIGKILL) }

func (p *PostgreSQL) end(sig syscall.Signal) {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	if sig == syscall.SIGKILL {
		p.signal(sig)
	} else {
		_ = p.cmd.Process.Signal(sig) // fails only when it has ended
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("the database server does not end on %v", sig)
		p.signal(syscall.SIGKILL)
		<-p.done
	}
	p.cmd = nil
}

// Restart ends the server in good order and starts it again.
func (p *PostgreSQL) Restart() {
	p.t.Helper()
	p.Stop()
	p.Start()
}

// Freeze stops the server's processes with SIGSTOP: they keep their connections and answer nothing until Thaw.
func (p *PostgreSQL) Freeze() {
	p.t.Helper()
	server := p.cmd.Process.Pid
	FreezeProcess(p.t, server) // it starts no more processes now
	for _, pid := range childrenOf(server) {
		FreezeProcess(p.t, pid)
	}
}

// Thaw lets a frozen server go on.
func (p *PostgreSQL) Thaw() { p.signal(syscall.SIGCONT) }

// signal sends a signal to the server, which then starts no more processes, and to those it has started.
func (p *PostgreSQL) signal(sig syscall.Signal) {
	server := p.cmd.Process.Pid
	children := childrenOf(server)
	_ = p.cmd.Process.Signal(sig) // fails only when it has ended
	for _, pid := range append(children, childrenOf(server)...) {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
}

// childrenOf returns the process ids of the children of a process.
func childrenOf(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var list []int
	for _, word := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(word); err == nil && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// SQL runs statements as the server's administrator in the database `mail` and returns the rows, one a line, with tabs
// between the columns.
func (p *PostgreSQL) SQL(statements string) string {
	p.t.Helper()
	return p.admin(p.Database, statements)
}

func (p *PostgreSQL) admin(database, statements string) string {
	p.t.Helper()
	out, err := p.query(database, statements)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *PostgreSQL) query(database, statements string) (string, error) {
	args := []string{
		"--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t", "--set=ON_ERROR_STOP=1", "--username=postgres",
		"--host=" + p.Dir, "--dbname=" + database, "--file=-",
	}
	if p.Port != 0 {
		args = append(args, fmt.Sprintf("--port=%d", p.Port))
	}
	cmd := p.command("psql", args...)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", statements, err, out)
	}
	return string(out), nil
}

// Config returns the lines of a pgsql table's .cf file that name this server, its database and its user. A server with
// a port has its UNIX socket named after that, which such a file cannot say, so the lines name the port.
func (p *PostgreSQL) Config() string {
	hosts := "unix:" + p.Dir
	if p.Port != 0 {
		hosts = fmt.Sprintf("inet:127.0.0.1:%d", p.Port)
	}
	return fmt.Sprintf("hosts = %s\nuser = %s\npassword = %s\ndbname = %s\n", hosts, p.User, p.Password, p.Database)
}

// PostgreSQLGroup returns the id of the group that the servers run as.
func PostgreSQLGroup(t testing.TB) int {
	t.Helper()
	account, err := credential("postgres")
	if err != nil {
		t.Fatal(err)
	}
	return int(account.Gid)
}
