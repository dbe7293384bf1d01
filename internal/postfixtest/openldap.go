package postfixtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// OpenLDAP is a private directory server with the suffix dc=example,dc=org. It listens on a UNIX socket that everybody
// may connect to and, with OpenLDAPPort, on 127.0.0.1. Everybody may read the directory. The end of the test removes
// its files.
type OpenLDAP struct {
	Dir    string // database, configuration, log; removed at the end of the test
	Socket string
	Port   int // 0: no TCP
	TLS    int // port for ldaps; 0: none

	Suffix, RootDN, Password string

	t        testing.TB
	settings string // more lines of slapd.conf, before the database
	database string // more lines of slapd.conf, of the database
	cmd      *exec.Cmd
	done     chan struct{}
}

// OpenLDAPOption changes a server before it starts.
type OpenLDAPOption func(*OpenLDAP)

// OpenLDAPPort makes the server listen on a free TCP port of 127.0.0.1.
func OpenLDAPPort() OpenLDAPOption { return func(o *OpenLDAP) { o.Port = FreePort(o.t) } }

// OpenLDAPTLS makes the server speak TLS with the given certificate, by StartTLS on all sockets and on a free port of
// 127.0.0.1 from the start. The certificates of clients must be signed by the authority in caFile, if they have one.
func OpenLDAPTLS(certFile, keyFile, caFile string) OpenLDAPOption {
	return func(o *OpenLDAP) {
		o.TLS = FreePort(o.t)
		o.settings += fmt.Sprintf("TLSCertificateFile %s\nTLSCertificateKeyFile %s\nTLSCACertificateFile %s\nTLSVerifyClient try\n",
			certFile, keyFile, caFile)
	}
}

// OpenLDAPSettings adds lines to slapd.conf, in front of the database.
func OpenLDAPSettings(lines string) OpenLDAPOption {
	return func(o *OpenLDAP) { o.settings += lines + "\n" }
}

// OpenLDAPDatabase adds lines about the database to slapd.conf.
func OpenLDAPDatabase(lines string) OpenLDAPOption {
	return func(o *OpenLDAP) { o.database += lines + "\n" }
}

// StartOpenLDAP starts a private server with the entries of an LDIF text, in which the first entry must be that of the
// suffix, and returns when it answers.
func StartOpenLDAP(t testing.TB, ldif string, options ...OpenLDAPOption) *OpenLDAP {
	t.Helper()
	testenv.Require(t, testenv.OpenLDAP)
	dir, err := os.MkdirTemp("", "pmld")
	if err != nil {
		t.Fatal(err)
	}
	o := &OpenLDAP{
		Dir: dir, Socket: filepath.Join(dir, "s"),
		Suffix: "dc=example,dc=org", RootDN: "cn=root,dc=example,dc=org", Password: "root-secret", t: t,
	}
	t.Cleanup(o.cleanup)
	for _, option := range options {
		option(o)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.write("slapd.conf", o.config())
	o.write("data.ldif", ldif)
	o.run("slapadd", "-f", filepath.Join(dir, "slapd.conf"), "-q", "-l", filepath.Join(dir, "data.ldif"))
	o.Start()
	return o
}

func (o *OpenLDAP) write(name, text string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
}

// schema has the attributes that the examples of ldap_table(5) use.
const schema = `
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'maildrop' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26{256} )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'mailacceptinggeneralid' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{256} )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'memberdn' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'memberurl' SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'anything' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'mailthing' SUP top AUXILIARY MAY ( maildrop $ mailacceptinggeneralid $ memberdn $ memberurl $ anything $ mail $ cn ) )
`

// config returns slapd.conf. A search also looks for referrals, by their object class: without an index on that it reads
// the whole directory.
func (o *OpenLDAP) config() string {
	return fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
%s
pidfile %s/pid
modulepath /usr/lib/ldap
moduleload back_mdb
%s
database mdb
maxsize 67108864
suffix %q
rootdn %q
rootpw %s
directory %s/db
dbnosync
index mailacceptinggeneralid eq
index objectClass eq
%s`, schema, o.Dir, o.settings, o.Suffix, o.RootDN, o.Password, o.Dir, o.database)
}

// run runs one of the server's programs.
func (o *OpenLDAP) run(name string, args ...string) {
	o.t.Helper()
	path, err := testenv.LookProgram(name)
	if err != nil {
		o.t.Fatal(err)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		o.t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// URL is where the server listens on its UNIX socket.
func (o *OpenLDAP) URL() string { return "ldapi://" + url.QueryEscape(o.Socket) }

// Start starts the server, again after Stop or Kill, and returns when it answers.
func (o *OpenLDAP) Start() {
	o.t.Helper()
	if o.cmd != nil {
		o.t.Fatal("the directory server runs already")
	}
	path, err := testenv.LookProgram("slapd")
	if err != nil {
		o.t.Fatal(err)
	}
	where := []string{o.URL()}
	if o.Port != 0 {
		where = append(where, fmt.Sprintf("ldap://127.0.0.1:%d", o.Port))
	}
	if o.TLS != 0 {
		where = append(where, fmt.Sprintf("ldaps://127.0.0.1:%d", o.TLS))
	}
	log, err := os.OpenFile(o.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		o.t.Fatal(err)
	}
	defer log.Close()
	const logOperations = "256"
	o.cmd = exec.Command(path, "-d", logOperations, "-f", filepath.Join(o.Dir, "slapd.conf"), "-h", strings.Join(where, " "))
	o.cmd.Stdout, o.cmd.Stderr = log, log
	// The server ends with the test binary, even when that is killed.
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // its exit status is in ProcessState
		close(done)
	}(o.cmd, o.done)
	o.wait()
}

// wait returns when the server answers.
func (o *OpenLDAP) wait() {
	o.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		out, err := exec.Command("ldapsearch", "-x", "-H", o.URL(), "-D", o.RootDN, "-w", o.Password, "-s", "base", "-b", "", "-o", "nettimeout=5").CombinedOutput()
		if err == nil {
			return
		}
		select {
		case <-o.done:
			o.t.Fatalf("the directory server has ended: %v", o.cmd.ProcessState)
		default:
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("the directory server does not answer: %v: %s", err, out)
		}
	}
}

func (o *OpenLDAP) logFile() string { return filepath.Join(o.Dir, "log") }

// Log returns what the server has logged: a line with ACCEPT for each connection, with BIND and SRCH for each request.
func (o *OpenLDAP) Log() string {
	o.t.Helper()
	text, err := os.ReadFile(o.logFile())
	if err != nil {
		o.t.Fatal(err)
	}
	return string(text)
}

// Modify changes the directory as its administrator, with an LDIF text of changes (ldapmodify(1)).
func (o *OpenLDAP) Modify(ldif string) {
	o.t.Helper()
	cmd := exec.Command("ldapmodify", "-x", "-H", o.URL(), "-D", o.RootDN, "-w", o.Password)
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("ldapmodify: %v: %s", err, out)
	}
}

// Stop ends the server in good order (SIGTERM).
func (o *OpenLDAP) Stop() { o.end(syscall.SIGTERM) }

// Kill ends the server at once (SIGKILL).
func (o *OpenLDAP) Kill() { o.end(syscall.SIGKILL) }

func (o *OpenLDAP) end(sig syscall.Signal) {
	o.t.Helper()
	if o.cmd == nil {
		return
	}
	_ = o.cmd.Process.Signal(sig) // fails only when it has ended
	select {
	case <-o.done:
	case <-time.After(patience):
		o.t.Errorf("the directory server does not end on %v", sig)
		_ = o.cmd.Process.Kill()
		<-o.done
	}
	o.cmd = nil
}

// Freeze stops the server with SIGSTOP: it keeps its connections and answers nothing until Thaw.
func (o *OpenLDAP) Freeze() {
	o.t.Helper()
	FreezeProcess(o.t, o.cmd.Process.Pid)
}

// Thaw lets a frozen server go on.
func (o *OpenLDAP) Thaw() { o.signal(syscall.SIGCONT) }

func (o *OpenLDAP) signal(sig syscall.Signal) {
	o.t.Helper()
	if err := o.cmd.Process.Signal(sig); err != nil {
		o.t.Fatal(err)
	}
}

func (o *OpenLDAP) cleanup() {
	o.Kill()
	if o.t.Failed() {
		if text, err := os.ReadFile(o.logFile()); err == nil {
			o.t.Logf("end of the log of the directory server: %s", text[max(0, len(text)-2000):])
		}
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		o.t.Error(err)
	}
}
