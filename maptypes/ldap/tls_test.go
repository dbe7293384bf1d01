package ldap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.file, _ = a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	return a
}

// issue makes a certificate and returns its files. The first one signs itself.
func (a *authority) issue(template *x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.cert == nil {
		a.cert, a.key = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	if template == a.cert {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			a.t.Fatal(err)
		}
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	name := filepath.Join(a.dir, template.SerialNumber.String())
	for path, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	return name + ".crt", name + ".key"
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "the right one"), newAuthority(t, "another one")
	cert, key := ca.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	clientCert, clientKey := ca.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	b := newBench(t, postfixtest.OpenLDAPPort(), postfixtest.OpenLDAPTLS(cert, key, ca.file), postfixtest.OpenLDAPSettings(
		`access to attrs=maildrop by dn.exact="cn=client" read by ssf=100 read by * none
access to * by * read`))
	plain := fmt.Sprintf("server_host = ldap://127.0.0.1:%d\n", b.server.Port)
	encrypted := fmt.Sprintf("server_host = ldaps://127.0.0.1:%d\n", b.server.TLS)
	trusted := "tls_require_cert = yes\ntls_ca_cert_file = " + ca.file + "\n"
	external := "bind = sasl\nsasl_mechs = EXTERNAL\ntls_cert = " + clientCert + "\ntls_key = " + clientKey + "\n"
	good := b.tables(map[string]string{
		"plaintext":      plain,
		"starttls":       plain + "start_tls = yes\n",
		"starttls check": plain + "start_tls = yes\n" + trusted,
		"ldaps":          encrypted,
		"ldaps check":    encrypted + trusted,
		"client":         encrypted + trusted + external,
		"minssf":         plain + "start_tls = yes\nsasl_minssf = 100\n" + trusted + external,
		"unchecked":      encrypted + "tls_ca_cert_file = " + other.file,
	})
	b.compare(good, "a", "nobody")
	found := 0
	for _, spec := range good {
		if got, err := get(b.open(spec), "a"); got == "x" {
			found++
		} else if err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if found != len(good)-1 {
		t.Errorf("%d of %d tables found what only a secure connection may see; want all but the one without TLS", found, len(good))
	}
	for name, settings := range map[string]string{
		"wrong authority":   plain + "start_tls = yes\ntls_require_cert = yes\ntls_ca_cert_file = " + other.file,
		"ldaps wrong":       encrypted + "tls_require_cert = yes\ntls_ca_cert_file = " + other.file,
		"wrong name":        strings.Replace(encrypted, "127.0.0.1", "localhost", 1) + trusted,
		"ldaps to plain":    strings.Replace(plain, "ldap:", "ldaps:", 1),
		"no certificate":    encrypted + "bind = sasl\nsasl_mechs = EXTERNAL",
		"wrong name, tls":   strings.Replace(plain, "127.0.0.1", "localhost", 1) + "start_tls = yes\n" + trusted,
		"ca of the machine": encrypted + "tls_require_cert = yes",
	} {
		spec := b.table(strings.NewReplacer(" ", "", ",", "").Replace(name), settings)
		if out, _ := b.postmap(spec, "a"); out != "" {
			t.Errorf("%s: Postfix finds %q", name, out)
		}
		b.wantRetry(b.open(spec), "a")
	}
	// OpenLDAP's library does not start TLS on a UNIX socket, and does not count
	// the strength of TLS.
	b.want(b.open(b.table("unix", "start_tls = yes")), "a", "x")
	b.wantRetry(b.open(b.table("strength", encrypted+"sasl_minssf = 4000\n"+external)), "a")
	// OpenLDAP of Debian has another TLS library, with other names.
	b.want(b.open(b.table("dir", encrypted+"tls_require_cert = yes\ntls_ca_cert_dir = "+ca.dir)), "a", "x")
	b.want(b.open(b.table("cipher", encrypted+trusted+"tls_cipher_suite = ECDHE-ECDSA-AES256-GCM-SHA384:TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")), "a", "x")
}

// TestServerWithoutTLS checks that a table that wants TLS sends nothing without.
func TestServerWithoutTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := len(b.server.Log())
	h := b.open(b.table("tls", fmt.Sprintf("start_tls = yes\nbind_dn = %s\nbind_pw = %s", b.server.RootDN, b.server.Password)))
	b.wantRetry(h, "a")
	if log := strings.Join(b.takeLog(), "\n"); !strings.Contains(log, "dict_ldap_connect: Unable to set STARTTLS: 2: Protocol error") {
		t.Errorf("log:\n%s", log)
	}
	if log := b.server.Log()[before:]; strings.Contains(log, "BIND dn") || strings.Contains(log, "SRCH") {
		t.Errorf("the server was asked without TLS:\n%s", log)
	}
}
