// Package tlscf reads the TLS settings of the tables whose type Postfix does not
// have: tls_CAfile, tls_cert_file, tls_key_file, tls_verify_cert and
// tls_server_name. The server's certificate is checked unless the table says
// otherwise.
package tlscf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// TLS is what a table asks of TLS.
type TLS struct {
	// Files are those that were read, or could not be, for Opened.Watch.
	Files []string
	// Verify says that the server's certificate is checked.
	Verify bool
	// Given says that there is a setting.
	Given bool

	roots      *x509.CertPool // nil: the system's
	cert       []tls.Certificate
	serverName string
	sum        [sha256.Size]byte
}

// Read reads the settings. An error about a file has no class when the file may
// be there later; the result, with Files, is returned too.
func Read(cf *tablecf.Settings) (*TLS, error) {
	t := &TLS{Verify: cf.Bool("tls_verify_cert", true), serverName: cf.String("tls_server_name", "")}
	caFile := cf.String("tls_CAfile", "")
	certFile, keyFile := cf.String("tls_cert_file", ""), cf.String("tls_key_file", "")
	_, verifyGiven := cf.Lookup("tls_verify_cert")
	t.Given = verifyGiven || t.serverName+caFile+certFile+keyFile != ""
	hash := sha256.New()
	fmt.Fprintf(hash, "%v %q", t.Verify, t.serverName)
	if caFile != "" {
		content, err := t.readFile(caFile)
		if err != nil {
			return t, err
		}
		t.roots = x509.NewCertPool()
		if !t.roots.AppendCertsFromPEM(content) {
			return t, maptypes.Configf("no certificate in %s", caFile)
		}
		hash.Write(content)
	}
	if certFile+keyFile != "" {
		if err := t.readCertificate(certFile, keyFile); err != nil {
			return t, err
		}
		hash.Write(t.cert[0].Certificate[0])
	}
	hash.Sum(t.sum[:0])
	return t, nil
}

// readCertificate reads the client's certificate. One file may hold both.
func (t *TLS) readCertificate(certFile, keyFile string) error {
	if certFile == "" {
		certFile = keyFile
	} else if keyFile == "" {
		keyFile = certFile
	}
	cert, err := t.readFile(certFile)
	if err != nil {
		return err
	}
	key, err := t.readFile(keyFile)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return maptypes.Configf("load certificate %s and key %s: %w", certFile, keyFile, err)
	}
	t.cert = []tls.Certificate{pair}
	return nil
}

func (t *TLS) readFile(path string) ([]byte, error) {
	t.Files = append(t.Files, path)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, maptypes.SystemError(err))
	}
	return content, nil
}

// Digest tells settings apart, with the contents of the files.
func (t *TLS) Digest() string { return string(t.sum[:]) }

// Config returns the library's settings for a server that is called host.
func (t *TLS) Config(host string) *tls.Config {
	if t.serverName != "" {
		host = t.serverName
	}
	return &tls.Config{
		ServerName:         host,
		RootCAs:            t.roots,
		Certificates:       t.cert,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: !t.Verify,
	}
}
