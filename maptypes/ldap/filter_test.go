package ldap

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	client "github.com/go-ldap/ldap/v3"
)

func TestCanonicalFilter(t *testing.T) {
	for text, want := range map[string]string{
		"uid=a":                        "(uid=a)",
		"( & (a=b)\n  (! (c=d)) )":     "(&(a=b)(!(c=d)))",
		`(cn=a b\2a\\é\xff`:            "",
		"(cn=a b\\2A\xff)":             `(cn=a\20b\2A\FF)`,
		`(cn=\(\))`:                    `(cn=\28\29)`,
		"(|(a>=1)(b<=2)(c~=3)(d:=4))":  "(|(a>=1)(b<=2)(c~=3)(d:=4))",
		"(:dn:2.4.6.8.10:=x)":          "(:dn:2.4.6.8.10:=x)",
		"(cn=*a*b*)":                   "(cn=*a*b*)",
		"(cn=a)(cn=b)":                 "",
		strings.Repeat("(!", 1000):     "",
		strings.Repeat("(", 1_000_000): "",
	} {
		got, err := canonicalFilter(text)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, errFilter) {
			t.Errorf("%.50q: %q %v, want %q", text, got, err, want)
		}
	}
}

// FuzzFilter checks that what is accepted is a filter for the library, too.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{"", "uid=a", "( & (a=b) (!(c=d)) )", `(cn=\2a\(*x)`, "(:dn:1.2:=\xff)", "(|)", "((a=b))"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := canonicalFilter(text)
		if err != nil {
			return
		}
		if _, err := client.CompileFilter(filter); err != nil {
			t.Errorf("%q became %q: %v", text, filter, err)
		}
		if again, err := canonicalFilter(filter); again != filter || err != nil {
			t.Errorf("%q became %q, and that %q %v", text, filter, again, err)
		}
	})
}

// FuzzQuote checks that a lookup key is one value, whatever is in it: of a filter,
// and of a DN.
func FuzzQuote(f *testing.F) {
	for _, key := range []string{"a", "*)(uid=*", `\2a\`, " # ", "é", ",ou=x+", "\"<>;="} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" || !utf8.ValidString(key) || strings.ContainsRune(key, 0) { // no such keys come here
			return
		}
		filter, err := canonicalFilter("(&(uid=" + string(quoteFilter(nil, []byte(key), 0)) + ")(b=c))")
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		packet, err := client.CompileFilter(filter)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		first := packet.Children[0]
		if len(packet.Children) != 2 || first.Tag != client.FilterEqualityMatch || first.Children[1].Value != key {
			t.Errorf("%q is not the value in %q", key, filter)
		}
		dn, err := client.ParseDN("uid=" + string(quoteDN(nil, []byte(key), 0)) + ",dc=example")
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if len(dn.RDNs) != 2 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != key {
			t.Errorf("%q is not the value in %+v", key, dn.RDNs[0].Attributes[0])
		}
	})
}
