package mysql_test

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
	"github.com/proxymapd/proxymapd/maptypes"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	next int64
}

func newAuthority(t *testing.T, dir, name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, dir: dir, key: key, next: 1}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.file = a.sign(a.cert, key, name)
	return a
}

// sign writes a certificate and its key and returns the certificate's file.
func (a *authority) sign(cert *x509.Certificate, key *ecdsa.PrivateKey, name string) string {
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(a.dir, name+".pem")
	for path, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: der}, filepath.Join(a.dir, name+".key"): {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o644); err != nil {
			a.t.Fatal(err)
		}
	}
	return file
}

// issue writes a certificate with its key.
func (a *authority) issue(name, commonName string, names []string, addresses ...net.IP) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: commonName}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key, name)
}

// cipherQuery asks whether the connection of a table is encrypted.
const cipherQuery = "query = SELECT IF('%s' = 'tls', (SELECT IF(variable_value = '', 'plain', 'encrypted') FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'), NULL)\n"

func TestTLS(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pmtls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ours := newAuthority(t, dir, "ours")
	newAuthority(t, dir, "theirs")
	ours.issue("ip", "db", []string{"db.example"}, net.IPv4(127, 0, 0, 1))
	ours.issue("cn", "127.0.0.1", nil)
	ours.issue("name", "db.example", []string{"db.example"})
	ours.issue("client", "client", nil)
	tests := []struct {
		server, settings string
		want             string // or what the log says
	}{
		{"ip", "", "plain"},
		{"ip", "tls_verify_cert = no\n", "plain"},
		{"ip", "tls_CAfile = @/ours.pem\n", "encrypted"},
		{"ip", "tls_CAfile = @/ours.pem\ntls_verify_cert = yes\n", "encrypted"},
		{"ip", "tls_CAfile = @/theirs.pem\n", "certificate signed by unknown authority"},
		{"ip", "tls_CAfile = @/theirs.pem\ntls_verify_cert = no\n", "certificate signed by unknown authority"},
		{"ip", "tls_CAfile = @/theirs.pem\ntls_CApath = @/path\n", "certificate signed by unknown authority"},
		{"ip", "tls_CApath = @/path\ntls_verify_cert = yes\n", "encrypted"},
		{"ip", "tls_verify_cert = yes\n", "certificate signed by unknown authority"},
		{"ip", "tls_ciphers = ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-SHA\n", "encrypted"},
		{"ip", "tls_cert_file = @/client.pem\ntls_key_file = @/client.key\n", "encrypted"},
		{"ip", "option_file = @/require.cnf\n", "encrypted"},
		{"ip", "option_file = @/identity.cnf\n", "encrypted"},
		{"cn", "tls_CAfile = @/ours.pem\ntls_verify_cert = yes\n", "encrypted"},
		{"name", "tls_CAfile = @/ours.pem\n", "encrypted"},
		{"name", "tls_CAfile = @/ours.pem\ntls_verify_cert = yes\n", "doesn't contain any IP SANs"},
		{"", "", "plain"},
		{"", "tls_CAfile = @/ours.pem\n", "SSL is required, but the server does not support it"},
		{"", "tls_verify_cert = yes\n", "SSL is required, but the server does not support it"},
		{"", "option_file = @/require.cnf\n", "SSL is required, but the server does not support it"},
	}
	if err := os.Mkdir(dir+"/path", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(ours.file, dir+"/path/0.pem"); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"require": "[client]\nssl\n", "identity": "[client]\nssl_mode=VERIFY_IDENTITY\nssl-ca=" + ours.file + "\n"} {
		if err := os.WriteFile(dir+"/"+name+".cnf", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	benches := map[string]*bench{}
	for i, test := range tests {
		b := benches[test.server]
		if b == nil {
			options := []postfixtest.MariaDBOption{postfixtest.MariaDBPort()}
			if test.server != "" {
				for _, flag := range []string{"--ssl-cert=@/%s.pem", "--ssl-key=@/%s.key", "--ssl-ca=@/ours.pem%.0s"} {
					options = append(options, postfixtest.MariaDBFlag(fmt.Sprintf(strings.ReplaceAll(flag, "@", dir), test.server)))
				}
			}
			b = newBench(t, options...)
			benches[test.server] = b
		}
		settings := strings.ReplaceAll(test.settings, "@", dir)
		config := strings.Replace(b.db.Config(), "unix:"+b.db.Socket, fmt.Sprintf("127.0.0.1:%d", b.db.Port), 1)
		h, err := b.env.Registry.Open(b.env, "mysql:"+b.write(fmt.Sprint("t", i, ".cf"), config+cipherQuery+settings), maptypes.ReadOnly, flags)
		if err != nil {
			t.Errorf("server %q, %q: %v", test.server, test.settings, err)
			continue
		}
		got, err := get(h, "tls")
		h.Close() // tables with the same settings share what is known of the server
		log := strings.Join(b.takeLog(), "\n")
		switch test.want {
		case "plain", "encrypted":
			if got != test.want || err != nil {
				t.Errorf("server %q, %q: %q %v, want %q; log %s", test.server, test.settings, got, err, test.want, log)
			}
		default:
			if err == nil || !strings.Contains(log, test.want) {
				t.Errorf("server %q, %q: %q %v, log %s; want %q", test.server, test.settings, got, err, log, test.want)
			}
		}
	}
}
