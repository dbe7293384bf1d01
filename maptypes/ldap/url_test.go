package ldap

import (
	"fmt"
	"testing"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"ldap://host":                          `tcp host:389 host "" [] -1 ""`,
		"LDAPS://host/":                        `tcp host:636 host "" [] -1 ""`,
		"ldap://host:1389/dc=x":                `tcp host:1389 host "dc=x" [] -1 ""`,
		"ldap://[::1]:1389":                    `tcp [::1]:1389 ::1 "" [] -1 ""`,
		"ldaps://[2001:db8::1]":                `tcp [2001:db8::1]:636 2001:db8::1 "" [] -1 ""`,
		"ldap:///dc=x":                         `tcp localhost:389 localhost "dc=x" [] -1 ""`,
		"ldapi://":                             `unix /var/run/slapd/ldapi localhost "" [] -1 ""`,
		"ldapi://%2Frun%2Fx.sock/":             `unix /run/x.sock localhost "" [] -1 ""`,
		"ldap://h/dc=x?cn,mail?sub?(uid=%61)?": `tcp h:389 h "dc=x" [cn mail] 2 "(uid=a)"`,
		"<URL:ldap://h/dc=%c3%a9??ONE>":        `tcp h:389 h "dc=é" [] 1 ""`,
		"ldap://h?cn":                          `tcp h:389 h "" [cn] -1 ""`,
	} {
		u, err := parseURL(text)
		network, address := u.dialAddress()
		if got := fmt.Sprintf("%s %s %s %q %v %d %q", network, address, u.serverName(), u.base, u.attributes, u.scope, u.filter); got != want || err != nil || !isURL(text) {
			t.Errorf("%s: %s %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"cldap://h", "http://h", "ldap", "", "ldap://[::1", "ldap://h:99999", "ldap://h:x", "ldap://h:0/", "ldap:///%zz", "ldap:///x?y?some", "ldap:///?%4",
	} {
		if u, err := parseURL(text); err == nil {
			t.Errorf("%q: %+v", text, u)
		}
	}
	for _, text := range []string{"dc=x", "uid=a,dc=ldap://x", "host:389", "ldap:"} {
		if isURL(text) {
			t.Errorf("%q is called a URL", text)
		}
	}
}

// FuzzURL checks that no text is trouble.
func FuzzURL(f *testing.F) {
	for _, text := range []string{"ldap://h:1/dc=x?a,b?sub?(c=d)?e=f", "<URL:ldapi://%2Fx>", "ldaps://[::1]", "ldap://??????", "<"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseURL(text)
		if err != nil {
			return
		}
		if !isURL(text) {
			t.Errorf("%q was parsed and is called no URL", text)
		}
		if network, address := u.dialAddress(); network == "" || address == "" {
			t.Errorf("%q has no address", text)
		}
	})
}
