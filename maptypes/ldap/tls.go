package ldap

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// security is what a table asks of TLS. What cannot be had is an error, not
// less.
type security struct {
	require bool // the certificate is for the server's name, and is trusted
	roots   *x509.CertPool
	cert    []tls.Certificate
	ciphers []uint16
	files   []string
	digest  string // tells settings apart, with the contents of the files
}

// readSecurity reads the tls_ parameters. Without TLS they have no effect. With
// an error it may say which files are to blame.
func readSecurity(cf *tablecf.Settings, on bool) (*security, error) {
	s := &security{require: cf.Bool("tls_require_cert", false)}
	caFile, caDir := cf.String("tls_ca_cert_file", ""), cf.String("tls_ca_cert_dir", "")
	certFile, keyFile := cf.String("tls_cert", ""), cf.String("tls_key", "")
	ciphers := cf.String("tls_cipher_suite", "")
	if !on {
		return s, nil
	}
	if err := s.readCiphers(ciphers); err != nil {
		return s, err
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%v %q", s.require, ciphers)
	for _, step := range []func() ([]byte, error){
		func() ([]byte, error) { return s.readRoots(caFile, caDir) },
		func() ([]byte, error) { return s.readCertificate(certFile, keyFile) },
	} {
		content, err := step()
		if err != nil {
			return s, err
		}
		hash.Write(content)
	}
	s.digest = string(hash.Sum(nil))
	return s, nil
}

// readRoots reads the certificates of the authorities that are trusted. None
// means those of the system.
func (s *security) readRoots(file, dir string) (all []byte, err error) {
	if file+dir == "" {
		return nil, nil
	}
	var files []string
	if file != "" {
		files = append(files, file)
	}
	if dir != "" {
		s.files = append(s.files, dir)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("open tls_ca_cert_dir %s: %w", dir, maptypes.SystemError(err))
		}
		for _, entry := range entries {
			path := filepath.Join(dir, entry.Name())
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				files = append(files, path)
			}
		}
	}
	s.roots = x509.NewCertPool()
	found := false
	for _, path := range files {
		content, err := s.readFile(path)
		if err != nil {
			return nil, err
		}
		found = s.roots.AppendCertsFromPEM(content) || found
		all = append(all, content...)
	}
	if !found {
		return nil, maptypes.Configf("no certificate in %s", strings.TrimSpace(file+" "+dir))
	}
	return all, nil
}

func (s *security) readCertificate(certFile, keyFile string) ([]byte, error) {
	if certFile+keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, maptypes.Configf("only one of tls_cert and tls_key is specified")
	}
	cert, err := s.readFile(certFile)
	if err != nil {
		return nil, err
	}
	key, err := s.readFile(keyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, maptypes.Configf("load tls_cert %s and tls_key %s: %w", certFile, keyFile, err)
	}
	s.cert = []tls.Certificate{pair}
	return append(cert, key...), nil
}

func (s *security) readFile(path string) ([]byte, error) {
	s.files = append(s.files, path)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, maptypes.SystemError(err))
	}
	return content, nil
}

// readCiphers takes a list of names, OpenSSL's or the standard ones, separated by
// colons. It has no effect on TLS 1.3. The priority strings of GnuTLS, and groups
// such as HIGH, are refused.
func (s *security) readCiphers(list string) error {
	suites := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		i := slices.IndexFunc(suites, func(suite *tls.CipherSuite) bool {
			return suite.Name == name || opensslName(suite.Name) == name
		})
		if i < 0 {
			return maptypes.Configf("tls_cipher_suite: %s is not supported; name cipher suites, such as ECDHE-RSA-AES256-GCM-SHA384", name)
		}
		s.ciphers = append(s.ciphers, suites[i].ID)
	}
	return nil
}

// opensslName turns the standard name of a cipher suite with AES or ChaCha20 into
// OpenSSL's: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256
// there, and TLS_RSA_WITH_AES_128_CBC_SHA is AES128-SHA.
func opensslName(standard string) string {
	name := strings.TrimPrefix(standard, "TLS_")
	name = strings.TrimPrefix(strings.Replace(name, "_WITH_", "_", 1), "RSA_")
	name = strings.NewReplacer("AES_", "AES", "_CBC", "", "CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305").Replace(name)
	return strings.ReplaceAll(name, "_", "-")
}

// config returns the library's settings for the server called host.
func (s *security) config(host string) *tls.Config {
	return &tls.Config{
		ServerName:   host,
		Certificates: s.cert,
		CipherSuites: s.ciphers,
		MinVersion:   tls.VersionTLS12,
		// The check is made in VerifyConnection: it may be off, and the name
		// may be in the subject only.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if !s.require {
				return nil
			}
			return verify(state.PeerCertificates, s.roots, host)
		},
	}
}

// verify checks a server's certificate: that it is trusted, and that it is for
// host. Without alternative names the common name counts, as in OpenLDAP.
func verify(chain []*x509.Certificate, roots *x509.CertPool, host string) error {
	if len(chain) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	cert := chain[0]
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return err
	}
	return verifyName(cert, host)
}

func verifyName(cert *x509.Certificate, host string) error {
	if len(cert.DNSNames)+len(cert.IPAddresses) > 0 {
		return cert.VerifyHostname(host)
	}
	name := cert.Subject.CommonName
	if strings.EqualFold(name, host) {
		return nil
	}
	if err := (&x509.Certificate{DNSNames: []string{name}}).VerifyHostname(host); err != nil {
		return fmt.Errorf("the server's certificate is for %q, not %q", name, host)
	}
	return nil
}

// ssf is the strength of an encrypted connection: the bits of its key.
func ssf(state tls.ConnectionState) int {
	if strings.Contains(tls.CipherSuiteName(state.CipherSuite), "AES_128") {
		return 128
	}
	return 256
}
