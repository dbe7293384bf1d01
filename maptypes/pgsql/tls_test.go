package pgsql_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// certificate makes a certificate for a host that signs itself, and returns the
// names of two files that everybody may read.
func certificate(t *testing.T, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: public}, key: {Type: "EC PRIVATE KEY", Bytes: encoded}} {
		// The key may be read by its group when root owns it.
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 0, postfixtest.PostgreSQLGroup(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestTLS asks for all levels of security of a server with TLS, and of one
// without.
func TestTLS(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.PostgreSQL)
	cert, key := certificate(t, "localhost")
	other, _ := certificate(t, "localhost")
	secure := newBench(t, postfixtest.PostgreSQLPort(), postfixtest.PostgreSQLSetting("ssl=on"),
		postfixtest.PostgreSQLSetting("ssl_cert_file="+cert), postfixtest.PostgreSQLSetting("ssl_key_file="+key))
	clear := newBench(t, postfixtest.PostgreSQLPort())
	const query = "query = SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND '%s' <> ''\nlookup_timeout = 20\n"
	for i, test := range []struct {
		b          *bench
		parameters string
		value      string // "t" with TLS, "f" without
		refused    string // or what is said instead
	}{
		{secure, "", "t", ""},
		{secure, "sslmode=disable", "f", ""},
		{secure, "sslmode=require", "t", ""},
		{secure, "sslmode=verify-full&sslrootcert=" + cert, "t", ""},
		{secure, "sslmode=verify-ca&sslrootcert=" + other, "", "certificate signed by unknown authority"},
		{secure, "sslmode=verify-full", "", "certificate signed by unknown authority"},
		{secure, "sslmode=verify-full&sslrootcert=/no/such/file", "", "unable to read CA file"},
		{secure, "sslmode=require&ssl_min_protocol_version=TLSv1.3", "t", ""},
		{secure, "sslmode=require&ssl_max_protocol_version=TLSv1.1", "", "tls"},
		{secure, "sslmode=require&ssl_min_protocol_version=SSLv3", "", "parameter ssl_min_protocol_version is not supported"},
		{secure, "sslmode=verify-full&sslrootcert=" + cert + "&sslcrl=/x", "", "parameter sslcrl is not supported"},
		{secure, "gssencmode=require", "", "parameter gssencmode is not supported"},
		{secure, "requirepeer=postgres", "", "parameter requirepeer is not supported"},
		{secure, "channel_binding=require", "t", ""},
		{secure, "sslmode=require&keepalives=1&gssencmode=disable&application_name=x", "t", ""},
		{clear, "", "f", ""},
		{clear, "sslmode=require", "", "server does not support SSL, but SSL was required"},
		{clear, "sslmode=verify-full&sslrootcert=" + cert, "", "server does not support SSL, but SSL was required"},
		{clear, "channel_binding=require", "", "channel binding"},
	} {
		hosts := fmt.Sprintf("postgresql://mail:mail-secret@localhost:%d/mail?%s", test.b.db.Port, test.parameters)
		spec := "pgsql:" + test.b.write(fmt.Sprintf("tls%d.cf", i), "hosts = "+hosts+"\n"+query)
		got, log, _ := test.b.ours(spec, "a")
		switch all := strings.Join(log, "\n"); {
		case test.refused != "":
			if got != "" || !strings.Contains(strings.ToLower(all), strings.ToLower(test.refused)) {
				t.Errorf("%s: %q, log %q, want %q", test.parameters, got, all, test.refused)
			}
		case got != "a\t"+test.value+"\n" || all != "":
			t.Errorf("%s: %q, log %q", test.parameters, got, all)
		}
	}
}

// TestNewCertificate replaces a file that a URI names.
func TestNewCertificate(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.PostgreSQL)
	cert, key := certificate(t, "localhost")
	wrong, _ := certificate(t, "localhost")
	b := newBench(t, postfixtest.PostgreSQLPort(), postfixtest.PostgreSQLSetting("ssl=on"),
		postfixtest.PostgreSQLSetting("ssl_cert_file="+cert), postfixtest.PostgreSQLSetting("ssl_key_file="+key))
	hosts := fmt.Sprintf("postgresql://mail:mail-secret@localhost:%d/mail?sslmode=verify-full&sslrootcert=%s", b.db.Port, wrong)
	h := b.open("pgsql:" + b.write("t.cf", "hosts = "+hosts+"\n"+byKey))
	b.wantRetry(h, "a")
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrong, text, 0o644); err != nil {
		t.Fatal(err)
	}
	b.recovers(h)
}
