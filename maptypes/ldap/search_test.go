package ldap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

// TestRolesCountPerEntry checks that each entry of a result is treated by itself,
// as ldap_table(5) has it: in Postfix a terminal or special attribute of one
// entry has an effect on those that the server happens to send after it.
func TestRolesCountPerEntry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := b.table("roles", "special_result_attribute = memberdn\nresult_attribute = cn\nleaf_result_attribute = mail\nterminal_result_attribute = maildrop\nquery_filter = (|(cn=%u)(uid=%d))")
	h := b.open(spec)
	b.want(h, "none@b", "1,2,3,None")           // terminal first
	b.want(h, "none@a", "x,None")               // terminal first
	b.want(h, "team@none", "None,team,x,1,2,3") // a leaf, then a group
	b.want(h, "team@routed", "team,x,1,2,3")
	both := b.open(b.table("both", "special_result_attribute = memberdn\nresult_attribute =\nleaf_result_attribute = mail\nterminal_result_attribute = maildrop\nquery_filter = (|(cn=%u)(cn=%d))"))
	b.want(both, "team@routed", "x,1,2,3,routed@lists.example.org") // a group, then a terminal entry
}

func TestReferrals(t *testing.T) {
	t.Parallel()
	elsewhere := newBench(t, postfixtest.OpenLDAPPort())
	url := fmt.Sprintf("ldap://127.0.0.1:%d", elsewhere.server.Port)
	before := len(elsewhere.server.Log())
	b := newBenchWith(t, `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: uid=local,dc=example,dc=org
objectClass: account
objectClass: mailthing
uid: local
mailacceptinggeneralid: everybody
maildrop: local

dn: ou=people,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
ou: people
ref: `+url+`/ou=people,dc=example,dc=org

dn: ou=dead,dc=example,dc=org
objectClass: organizationalUnit
ou: dead

dn: ou=one,ou=dead,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
ou: one
ref: ldap://127.0.0.1:1/ou=one,ou=dead,dc=example,dc=org
`, postfixtest.OpenLDAPSettings("referral "+url))
	plain := b.table("plain", "search_base = ou=people,dc=example,dc=org")
	unchased := b.table("unchased", "")
	superior := b.table("superior", "search_base = dc=elsewhere")
	b.compare([]string{plain, unchased, superior}, "a", "everybody")

	one := b.table("one", "chase_referrals = yes\nscope = one")
	b.compare([]string{
		b.table("chased", "chase_referrals = yes\nsearch_base = ou=people,dc=example,dc=org"),
		b.table("below", "chase_referrals = yes\nsearch_base = uid=b,ou=people,dc=example,dc=org"),
		one,
	}, "a", "everybody", "nobody")

	// Without the part that could not be had an answer would be wrong.
	dead := b.open(b.table("dead", "chase_referrals = yes\nsearch_base = ou=dead,dc=example,dc=org"))
	err := b.wantRetry(dead, "a")
	if err == nil || !strings.Contains(err.Error(), "referral to ldap://127.0.0.1:1/ou=one,ou=dead,dc=example,dc=org??sub: Connection refused") {
		t.Errorf("error %v", err)
	}
	b.want(b.open(b.table("identity", fmt.Sprintf("chase_referrals = yes\nsearch_base = ou=people,dc=example,dc=org\nbind_dn = %s\nbind_pw = %s", b.server.RootDN, b.server.Password))), "a", "x")
	if log := elsewhere.server.Log()[before:]; strings.Contains(log, b.server.RootDN) {
		t.Error("the other server was told who is asking")
	}
}

func TestReferralLoop(t *testing.T) {
	t.Parallel()
	port := postfixtest.FreePort(t)
	b := newBenchWith(t, fmt.Sprintf(`dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=loop,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
ou: loop
ref: ldap://127.0.0.1:%d/ou=loop,dc=example,dc=org
`, port), func(o *postfixtest.OpenLDAP) { o.Port = port })
	h := b.open(b.table("loop", "chase_referrals = yes"))
	if err := b.wantRetry(h, "a"); err == nil || !strings.Contains(err.Error(), "too many referrals") {
		t.Errorf("error %v", err)
	}
	if n := strings.Count(b.server.Log(), `SRCH base="ou=loop,`); n != 5 {
		t.Errorf("the referral was followed %d times, want 5", n)
	}
}

func TestParametersOfMain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	params := map[string]string{
		"people_server_host": b.server.URL(), "people_search_base": b.server.Suffix, "people_query_filter": "(uid=%s)",
		"people_result_attribute": "cn", "people_version": "3",
	}
	var text strings.Builder
	for name, value := range params {
		fmt.Fprintf(&text, "%s = %s\n", name, value)
	}
	b.write("main.cf", "compatibility_level = 3.6\nsmtputf8_enable = no\n"+text.String())
	b.env.Param = func(name string) (string, bool) { v, ok := params[name]; return v, ok }
	b.compare([]string{"ldap:people"}, "a", "b", "nobody")
}

func TestUnknownAndIgnoredParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := strings.TrimPrefix(b.table("odd", "queryfilter = (uid=%s)\nbind_pw = hidden\ndebuglevel = 1\ntls_random_file = /dev/random\nsasl_mechs = PLAIN\n"), "ldap:")
	b.open("ldap:" + path)
	log := strings.Join(b.takeLog(), "\n")
	for _, want := range []string{path + ", line 6: unused parameter: queryfilter", path + " ignoring debuglevel", path + " ignoring tls_random_file"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log, "hidden") || strings.Contains(log, "sasl_mechs") {
		t.Errorf("log:\n%s", log)
	}
}

func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for settings, want := range map[string]string{
		"bind = sasl\nsasl_mechs = PLAIN LOGIN": ": bind = sasl is supported with sasl_mechs = EXTERNAL only, not with sasl_mechs = PLAIN LOGIN",
		"bind = sasl":                           ": bind = sasl is supported with sasl_mechs = EXTERNAL only, not with sasl_mechs = ",
		"bind = sasl\nsasl_mechs = EXTERNAL\nsasl_authz_id = u:joe": ": sasl_authz_id is not supported",
		"start_tls = yes\ntls_cipher_suite = NORMAL:-VERS-ALL":      "tls_cipher_suite: NORMAL is not supported; name cipher suites, such as ECDHE-RSA-AES256-GCM-SHA384",
		"start_tls = yes\ntls_cert = /etc/hosts":                    "only one of tls_cert and tls_key is specified",
		"start_tls = yes\ntls_ca_cert_file = /etc/hosts":            "no certificate in /etc/hosts",
		"start_tls = yes\ntls_ca_cert_file = /no/file":              "open /no/file: No such file or directory",
		"server_host = cldap://x":                                   ": no server in server_host = cldap://x",
		"timeout = 0":                                               ": invalid timeout parameter value 0 < 1",
	} {
		_, err := b.env.Registry.Open(b.env, b.table("refused", settings), maptypes.ReadOnly, flags)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", settings, err, want)
		}
	}
	if _, err := b.env.Registry.Open(b.env, b.table("write", ""), maptypes.Create, flags); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("open for writing: %v", err)
	}
}

// TestExternal compares who the server thinks is asking over a UNIX socket.
func TestExternal(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.OpenLDAPSettings(`access to attrs=maildrop by dn.exact="gidNumber=0+uidNumber=0,cn=peercred,cn=external,cn=auth" read by * none
access to * by * read`), postfixtest.OpenLDAPPort())
	external := "bind = sasl\nsasl_mechs = external"
	tables := []string{
		b.table("external", external),
		b.table("anonymous", "result_attribute = maildrop, cn"),
		b.table("strong", external+"\nsasl_minssf = 72"),
	}
	b.compare(tables, "a", "many", "nobody")
	b.want(b.open(tables[0]), "a", "x")
	for name, settings := range map[string]string{
		"tcp":    external + fmt.Sprintf("\nsasl_minssf = 1\nserver_host = 127.0.0.1:%d", b.server.Port),
		"nobody": external + fmt.Sprintf("\nserver_host = 127.0.0.1:%d", b.server.Port),
	} {
		spec := b.table(name, settings)
		if out, _ := b.postmap(spec, "a"); out != "" {
			t.Errorf("%s: Postfix finds %q", name, out)
		}
		b.wantRetry(b.open(spec), "a")
	}
}

// TestSizeLimitOfServer checks that an answer that the server has cut short is no
// answer.
func TestSizeLimitOfServer(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.OpenLDAPSettings("sizelimit 2"))
	specs := []string{
		b.table("plain", "result_attribute = uid"),
		b.table("more", "result_attribute = uid\nsize_limit = 10"),
		b.table("nested", "query_filter = (cn=%s)\nspecial_result_attribute = memberurl\nresult_attribute = uid"),
	}
	b.server.Modify("dn: cn=url,ou=groups,dc=example,dc=org\nchangetype: modify\nreplace: memberurl\nmemberurl: ldap:///ou=people,dc=example,dc=org??one?(uid=*)\n")
	b.compare(specs, "everybody", "a", "url", "team")
	b.wantRetry(b.open(specs[0]), "everybody")
	b.want(b.open(specs[0]), "a", "a")
}
