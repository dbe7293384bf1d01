package mysql

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
	on         bool // no plaintext
	verifyName bool // the certificate is for the server's name, and is trusted
	cert       []tls.Certificate
	roots      *x509.CertPool // nil: not given
	ciphers    []uint16
	files      []string
	digest     string // tells settings apart, with the contents of the files
}

// tlsOptions are the options of option files that stand for the parameters.
var tlsOptions = map[string]string{
	"tls_cert_file": "ssl-cert", "tls_key_file": "ssl-key", "tls_CAfile": "ssl-ca", "tls_CApath": "ssl-capath", "tls_ciphers": "ssl-cipher",
}

// readSecurity reads the tls_ parameters, and options where there are none.
func readSecurity(cf *tablecf.Settings, o *options) (*security, error) {
	s := &security{}
	text := func(name string) string {
		if v := cf.String(name, ""); v != "" {
			return v
		}
		return o.get(tlsOptions[name])
	}
	certFile, keyFile := text("tls_cert_file"), text("tls_key_file")
	caFile, caPath, ciphers := text("tls_CAfile"), text("tls_CApath"), text("tls_ciphers")
	s.on = certFile+keyFile+caFile+caPath+ciphers != ""
	if err := s.options(o); err != nil {
		return nil, err
	}
	s.verifyName = cf.Bool("tls_verify_cert", s.verifyName)
	s.on = s.on || s.verifyName
	if err := cf.Err(); err != nil {
		return nil, err
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%v %v %q", s.on, s.verifyName, ciphers)
	for _, step := range []func() ([]byte, error){
		func() ([]byte, error) { return s.readCertificate(certFile, keyFile) },
		func() ([]byte, error) { return s.readRoots(caFile, caPath) },
		func() ([]byte, error) { return nil, s.readCiphers(ciphers) },
	} {
		content, err := step()
		if err != nil {
			return nil, err
		}
		hash.Write(content)
	}
	s.digest = string(hash.Sum(nil))
	return s, nil
}

// options takes in the options that are no files. One that is not known here may
// ask for more security than there would be.
func (s *security) options(o *options) error {
	for name, value := range o.values {
		switch name {
		case "ssl-cert", "ssl-key", "ssl-ca", "ssl-capath", "ssl-cipher":
		case "ssl":
			s.on = s.on || o.on(name)
		case "ssl-verify-server-cert":
			s.verifyName = s.verifyName || o.on(name)
		case "ssl-mode":
			switch strings.ToUpper(value) {
			case "DISABLED", "PREFERRED":
			case "REQUIRED", "VERIFY_CA":
				s.on = true
			case "VERIFY_IDENTITY":
				s.verifyName = true
			default:
				return maptypes.Configf("option file: unknown ssl-mode %s", value)
			}
			if strings.EqualFold(value, "VERIFY_CA") && o.get("ssl-ca")+o.get("ssl-capath") == "" {
				return maptypes.Configf("option file: ssl-mode=VERIFY_CA needs ssl-ca or ssl-capath")
			}
		case "disable-ssl", "skip-ssl", "disable-ssl-verify-server-cert", "skip-ssl-verify-server-cert":
		default:
			if strings.HasPrefix(name, "ssl") || strings.HasPrefix(name, "tls") {
				return maptypes.Configf("option file: %s is not supported", name)
			}
		}
	}
	return nil
}

func (s *security) readCertificate(certFile, keyFile string) ([]byte, error) {
	if certFile+keyFile == "" {
		return nil, nil
	}
	if certFile == "" {
		certFile = keyFile
	} else if keyFile == "" {
		keyFile = certFile
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
		return nil, maptypes.Configf("load certificate %s and key %s: %w", certFile, keyFile, err)
	}
	s.cert = []tls.Certificate{pair}
	return append(cert, key...), nil
}

// readRoots reads the certificates of the authorities that are trusted. The file
// comes before the directory.
func (s *security) readRoots(file, dir string) ([]byte, error) {
	if file+dir == "" {
		return nil, nil
	}
	files := []string{file}
	if file == "" {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("open tls_CApath %s: %w", dir, maptypes.SystemError(err))
		}
		s.files = append(s.files, dir)
		files = nil
		for _, entry := range entries {
			if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.Mode().IsRegular() {
				files = append(files, filepath.Join(dir, entry.Name()))
			}
		}
	}
	s.roots = x509.NewCertPool()
	var all []byte
	found := false
	for _, file := range files {
		content, err := s.readFile(file)
		if err != nil {
			return nil, err
		}
		found = s.roots.AppendCertsFromPEM(content) || found
		all = append(all, content...)
	}
	if !found {
		return nil, maptypes.Configf("no certificate in %s%s", file, dir)
	}
	return all, nil
}

func (s *security) readFile(path string) ([]byte, error) {
	s.files = append(s.files, path)
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, maptypes.SystemError(err))
	}
	return content, nil
}

// readCiphers takes a list of OpenSSL's names, separated by colons. As with
// OpenSSL it has no effect on TLS 1.3.
func (s *security) readCiphers(list string) error {
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		id, ok := cipherSuites[name]
		if !ok {
			return maptypes.Configf("tls_ciphers: %s is not supported; these are: %s", name, strings.Join(cipherNames(), ":"))
		}
		s.ciphers = append(s.ciphers, id)
	}
	return nil
}

// cipherSuites are those that Go has of OpenSSL's, by the names there.
var cipherSuites = map[string]uint16{
	"ECDHE-ECDSA-AES128-GCM-SHA256": tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-RSA-AES256-GCM-SHA384":   tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	"ECDHE-ECDSA-CHACHA20-POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-RSA-CHACHA20-POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"ECDHE-ECDSA-AES128-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	"ECDHE-RSA-AES128-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	"ECDHE-ECDSA-AES256-SHA":        tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	"ECDHE-RSA-AES256-SHA":          tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	"AES128-GCM-SHA256":             tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	"AES256-GCM-SHA384":             tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	"AES128-SHA":                    tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	"AES256-SHA":                    tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

func cipherNames() []string {
	var names []string
	for name := range cipherSuites {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// config returns the library's settings for one server, or nil for no TLS.
func (s *security) config(host string) *tls.Config {
	if !s.on {
		return nil
	}
	return &tls.Config{
		ServerName:   host,
		Certificates: s.cert,
		CipherSuites: s.ciphers,
		MinVersion:   tls.VersionTLS12,
		// The checks are made in VerifyConnection: the chain without the
		// name, or a name that is in the subject only.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return s.verify(state.PeerCertificates, host) },
	}
}

// verify checks the server's certificate: the chain when there are trusted
// authorities or the name matters, and the name if it does.
func (s *security) verify(chain []*x509.Certificate, host string) error {
	if s.roots == nil && !s.verifyName {
		return nil
	}
	if len(chain) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: s.roots, Intermediates: between}); err != nil {
		return err
	}
	if s.verifyName {
		return verifyName(chain[0], host)
	}
	return nil
}

// verifyName checks that a certificate is for a host. Without alternative names
// the common name counts, as mysql_table(5) says.
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
