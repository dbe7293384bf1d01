package ldap

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"testing"
)

func TestVerifyName(t *testing.T) {
	subject := pkix.Name{CommonName: "ldap.example.org"}
	for name, c := range map[string]struct {
		cert *x509.Certificate
		good []string
		bad  []string
	}{
		"subject only":  {&x509.Certificate{Subject: subject}, []string{"ldap.example.org", "LDAP.example.org"}, []string{"example.org", "192.0.2.1"}},
		"wildcard":      {&x509.Certificate{Subject: pkix.Name{CommonName: "*.example.org"}}, []string{"ldap.example.org"}, []string{"example.org", "a.ldap.example.org"}},
		"alternatives":  {&x509.Certificate{Subject: subject, DNSNames: []string{"b.example.org"}}, []string{"b.example.org"}, []string{"ldap.example.org"}},
		"address":       {&x509.Certificate{Subject: subject, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, []string{"192.0.2.1"}, []string{"192.0.2.2", "ldap.example.org"}},
		"nobody's name": {&x509.Certificate{}, nil, []string{"ldap.example.org", "192.0.2.1"}},
	} {
		for _, host := range c.good {
			if err := verifyName(c.cert, host); err != nil {
				t.Errorf("%s, %s: %v", name, host, err)
			}
		}
		for _, host := range c.bad {
			if verifyName(c.cert, host) == nil {
				t.Errorf("%s is taken for %s", name, host)
			}
		}
	}
}
