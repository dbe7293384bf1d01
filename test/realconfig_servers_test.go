package test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// startServer starts one of a shape's servers with the given contents. The servers of databases keep the names and
// passwords of the shape; the address in the shape's files is replaced by the private one.
func (r *realSite) startServer(part section) {
	r.Helper()
	switch part.kind {
	case "mysql":
		r.startMySQL(part)
	case "pgsql":
		testenv.Require(r.T, testenv.PostfixPgSQL)
		db := postfixtest.StartPostgreSQL(r.T, postfixtest.PostgreSQLPort())
		db.SQL(part.text)
		r.replace(part.arg, db.Port)
	case "sqlite":
		r.startSQLite(part)
	case "ldap":
		r.startLDAP(part)
	case "socketmap":
		r.listen(part, serveSocketmap)
	case "tcp":
		r.listen(part, serveTCP)
	case "memcached":
		r.cache = startMemcached(r.T)
		r.replace(part.arg, r.cache)
	case "nobody":
		port := postfixtest.FreePort(r.T)
		r.dead = append(r.dead, fmt.Sprintf("127.0.0.1:%d", port))
		r.replace(part.arg, port)
	case "certificate":
		r.write(r.place(part.arg), r.certificate)
	default:
		r.Fatalf("unknown section %+v", part)
	}
}

// replace makes an address in the shape's files that of a private server. An address that is only a port is replaced by
// a port.
func (r *realSite) replace(address string, port int) {
	private := "127.0.0.1:" + strconv.Itoa(port)
	if _, err := strconv.Atoi(address); err == nil {
		private = strconv.Itoa(port)
	}
	r.addresses = append(r.addresses, address, private)
}

func (r *realSite) startMySQL(part section) {
	r.Helper()
	path, isSocket := strings.CutPrefix(part.arg, "unix:")
	options := []postfixtest.MariaDBOption{
		postfixtest.MariaDBFlag("--ssl-cert=" + r.certFile), postfixtest.MariaDBFlag("--ssl-key=" + r.keyFile),
	}
	if !isSocket {
		options = append(options, postfixtest.MariaDBPort())
	}
	db := postfixtest.StartMariaDB(r.T, options...)
	db.SQL(part.text)
	if isSocket {
		r.symlink(db.Socket, r.place(path))
	} else {
		r.replace(part.arg, db.Port)
	}
}

func (r *realSite) symlink(target, path string) {
	r.Helper()
	r.mkdirs(filepath.Dir(path))
	if err := os.Symlink(target, path); err != nil {
		r.Fatal(err)
	}
}

func (r *realSite) startSQLite(part section) {
	r.Helper()
	testenv.Require(r.T, testenv.SQLite, testenv.PostfixSQLite)
	path := r.place(part.arg)
	r.mkdirs(filepath.Dir(path))
	if got := r.pf.Run(part.text, "sqlite3", "-bail", path); got.Exit != 0 {
		r.Fatalf("sqlite3: %+v", got)
	}
}

// ldapSettings returns the lines of slapd.conf that define every name of the shapes as an attribute of its own.
func ldapSettings() string {
	var attributes, names strings.Builder
	for i, name := range []string{"otherMail", "addr", "alias", "forward", "allowed", "state", "domState", "service", "route"} {
		fmt.Fprintf(&attributes, "attributetype ( 1.3.6.1.4.1.99999.3.%d NAME '%s' EQUALITY caseIgnoreMatch "+
			"SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n", i+1, name)
		names.WriteString(" $ " + name)
	}
	const classes = `objectclass ( 1.3.6.1.4.1.99999.4.1 NAME 'mailThings' SUP top AUXILIARY MAY ( mail $ maildrop $ memberUid $ homeDirectory%[1]s ) )
objectclass ( 1.3.6.1.4.1.99999.4.2 NAME 'mailDomain' SUP top STRUCTURAL MUST cn MAY ( description%[1]s ) )
objectclass ( 1.3.6.1.4.1.99999.4.3 NAME 'group' SUP top STRUCTURAL MUST cn MAY ( mail $ memberUid%[1]s ) )
objectclass ( 1.3.6.1.4.1.99999.4.4 NAME 'mailAccount' SUP top STRUCTURAL MUST uid MAY ( mail $ maildrop%[1]s ) )
allow bind_v2
`
	return "include /etc/ldap/schema/nis.schema\n" + attributes.String() + fmt.Sprintf(classes, names.String())
}

// startLDAP starts a directory server; its section names the address and, unless it is dc=example,dc=org, the suffix.
func (r *realSite) startLDAP(part section) {
	r.Helper()
	testenv.Require(r.T, testenv.PostfixLDAP)
	address, suffix, hasSuffix := strings.Cut(part.arg, " ")
	options := []postfixtest.OpenLDAPOption{
		postfixtest.OpenLDAPPort(), postfixtest.OpenLDAPTLS(r.certFile, r.keyFile, r.certFile),
	}
	settings := ldapSettings()
	if hasSuffix {
		settings += "defaultsearchbase " + suffix + "\n"
		options = append(options, func(o *postfixtest.OpenLDAP) { o.Suffix, o.RootDN = suffix, "cn=root,"+suffix })
	}
	server := postfixtest.StartOpenLDAP(r.T, part.text, append(options, postfixtest.OpenLDAPSettings(settings))...)
	r.replace(address, server.Port)
}

// listen starts a server of our own, at a path or on a free port. Its section has lines "question | answer".
func (r *realSite) listen(part section, serve func(net.Conn, map[string]string)) {
	r.Helper()
	answers := map[string]string{}
	for line := range strings.Lines(part.text) {
		question, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		answers[question] = answer
	}
	network, address := "tcp4", "127.0.0.1:0"
	path, isPath := strings.CutPrefix(part.arg, "unix:")
	if isPath {
		network, address = "unix", r.place(path)
		r.mkdirs(filepath.Dir(address))
	}
	l, err := net.Listen(network, address)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	if isPath {
		if err := os.Chmod(address, 0o666); err != nil {
			r.Fatal(err)
		}
	} else {
		r.replace(strings.TrimPrefix(part.arg, "inet:"), l.Addr().(*net.TCPAddr).Port)
	}
	go acceptAll(l, answers, serve)
}

// acceptAll serves the connections of a listener until it is closed.
func acceptAll(l net.Listener, answers map[string]string, serve func(net.Conn, map[string]string)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serve(conn, answers)
		}()
	}
}

// serveSocketmap answers the netstrings of socketmap_table(5) until the client hangs up.
func serveSocketmap(conn net.Conn, answers map[string]string) {
	in := bufio.NewReader(conn)
	for {
		length, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil || n < 0 || n > 1<<20 {
			return
		}
		request := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(in, request); err != nil {
			return
		}
		answer, ok := answers[string(request[:n])]
		if !ok {
			answer = "NOTFOUND "
		}
		if _, err := fmt.Fprintf(conn, "%d:%s,", len(answer), answer); err != nil {
			return
		}
	}
}

// serveTCP answers the lines of tcp_table(5). The keys and values of the shapes need no %XX.
func serveTCP(conn net.Conn, answers map[string]string) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		key, err := url.PathUnescape(strings.TrimPrefix(lines.Text(), "get "))
		answer, ok := answers[key]
		if err != nil || !ok {
			answer = "500 not found"
		}
		if _, err := fmt.Fprintf(conn, "%s\n", answer); err != nil {
			return
		}
	}
}

// startMemcached starts a memory cache on a free port of 127.0.0.1.
func startMemcached(t testing.TB) int {
	t.Helper()
	testenv.Require(t, testenv.Memcached)
	port := postfixtest.FreePort(t)
	path, err := testenv.LookProgram("memcached")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-l", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "0", "-u", "nobody", "-m", "16")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails only when it has ended
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
			return port
		}
		if time.Now().After(deadline) {
			t.Fatalf("memcached does not answer: %v", err)
		}
	}
}

// makeCertificate returns a certificate for localhost that is its own authority, and its key.
func makeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		var text bytes.Buffer
		if err := pem.Encode(&text, &pem.Block{Type: kind, Bytes: der}); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}
