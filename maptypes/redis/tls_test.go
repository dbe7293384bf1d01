package redis_test

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

	"github.com/proxymapd/proxymapd/maptypes"
)

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cert, key := certificate(t, b.dir, "redis.example")
	client, clientKey := certificate(t, b.dir, "client.example")
	port := freePort(t)
	s := newServer(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", client)
	s.do("SET", "a", "x")
	at := fmt.Sprintf("hosts = 127.0.0.1:%d\ntls = yes\n", port)
	withCert := "tls_cert_file = " + client + "\ntls_key_file = " + clientKey + "\n"
	for name, c := range map[string]struct{ settings, log string }{
		"good":       {withCert + "tls_CAfile = " + cert + "\n", ""},
		"name":       {withCert + "tls_CAfile = " + cert + "\ntls_server_name = redis.example\n", ""},
		"no check":   {withCert + "tls_verify_cert = no\n", ""},
		"stranger":   {withCert, "certificate signed by unknown authority"},
		"wrong name": {withCert + "tls_CAfile = " + cert + "\ntls_server_name = other.example\n", "not other.example"},
		"no client":  {"tls_CAfile = " + cert + "\n", "connect to redis server"},
	} {
		h := b.open(strings.ReplaceAll(name, " ", ""), at+c.settings, maptypes.ReadOnly)
		b.takeLog()
		if c.log == "" {
			b.want(h, "a", "x")
			continue
		}
		b.wantRetry(h, "a")
		if log := strings.Join(b.takeLog(), "\n"); !strings.Contains(log, c.log) {
			t.Errorf("%s: log %q, want %q", name, log, c.log)
		}
	}
}
