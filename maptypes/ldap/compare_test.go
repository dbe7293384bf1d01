package ldap_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// keys are those of most comparisons.
var keys = []string{
	"a", "A", "ann", "none", "nodrop", "many", "addr", "everybody", "user@example.com", "user", "@example.com", "user@", "@", "it's", "back\\slash",
	"st*r", "*", "(paren)", "comma,plus+\"<>;#", "é", "\xff", "", "user@EXAMPLE.COM", "user@file.org", "user@neg.org", "a@b@example.net",
	"user@.example..com.", "*)(uid=*",
}

func (b *bench) tables(settings map[string]string) (specs []string) {
	for name, text := range settings {
		specs = append(specs, b.table(strings.ReplaceAll(name, " ", ""), text))
	}
	return specs
}

func TestTablesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t, postfixtest.OpenLDAPSettings("allow bind_v2"), postfixtest.OpenLDAPPort())
	domains := b.write("domains", "file.org, !neg.org\n# comment\nexample.net\n")
	b.compare(b.tables(map[string]string{
		"plain":       "",
		"default":     "query_filter = mailacceptinggeneralid=%s",
		"version two": fmt.Sprintf("version = 2\nserver_host = 127.0.0.1:%d", b.server.Port),
		"host, port":  fmt.Sprintf("server_host = 127.0.0.1\nserver_port = %d", b.server.Port),
		"substring":   "query_filter = (mailacceptinggeneralid=%s*)",
		"parts":       "query_filter = (|(uid=%u)(mail=%d))",
		"upper":       "query_filter = (|(uid=%U)(mail=%D)(mailacceptinggeneralid=%S))",
		"user":        "query_filter = (uid=%u)",
		"labels":      "query_filter = (|(uid=%2)(mail=%1))\nresult_format = %1-%2",
		"label 3":     "query_filter = (uid=%3)",
		"base":        "search_base = uid=%s,ou=people,dc=example,dc=org\nscope = base\nquery_filter = (objectClass=*)",
		"base parts":  "search_base = uid=%u,ou=people,dc=%2,dc=org\nquery_filter = (objectClass=*)",
		"no base":     "search_base = dc=nowhere",
		"empty base":  "search_base =",
		"bad base":    "search_base = nonsense",
		"format":      "result_format = <%s>",
		"format old":  "result_filter = <%s>",
		"format both": "result_filter = <%s>\nresult_format = (%s)",
		"formatparts": "result_format = %u at %d, 100%%",
		"formatuser":  "result_format = (%u)",
		"formatkey":   "result_format = %s|%S|%U|%D|%1|%2",
		"formatempty": "result_format =",
		"attributes":  "result_attribute = cn, mail maildrop,anything",
		"subtype":     "result_attribute = CN",
		"option":      "result_attribute = cn;lang-de",
		"no such":     "result_attribute = nosuchattribute",
		"operational": "result_attribute = entryDN",
		"nul":         "result_attribute = anything",
		"limit":       "expansion_limit = 2",
		"limit one":   "expansion_limit = 1\nresult_attribute = cn",
		"size one":    "size_limit = 1\nresult_attribute = cn",
		"size two":    "size_limit = 2\nresult_attribute = uid",
		"domain":      "query_filter = (mailacceptinggeneralid=%u)\ndomain = example.COM, !x.org,inline:{inl.org=x} " + domains,
		"faildomain":  "domain = example.com, fail:x",
		"scope one":   "scope = ONE",
		"scope one p": "scope = one\nsearch_base = ou=people,dc=example,dc=org",
		"scope odd":   "scope = everything",
		"deref":       "search_base = cn=alias,ou=groups,dc=example,dc=org\nquery_filter = (mailacceptinggeneralid=%s)\ndereference = 2",
		"deref odd":   "dereference = 4",
		"cached":      "cache = yes\ncache_expiry = 10\ncache_size = 10",
		"anonymous":   "bind = none",
		"fixed":       "query_filter = (uid=a)",
	}), keys...)
}

func TestRecursionAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	names := []string{"team", "nested", "routed", "dangling", "url", "urlall", "urlsub", "urlother", "urlgroup", "urlbase", "urlfilter", "baddn", "a"}
	b.compare(b.tables(map[string]string{
		"dn":             "special_result_attribute = memberdn",
		"dn url":         "special_result_attribute = memberdn, memberurl",
		"dn mail":        "special_result_attribute = memberdn\nresult_attribute = mail",
		"leaf":           "special_result_attribute = memberdn memberurl\nresult_attribute =\nleaf_result_attribute = mail",
		"leaf, ordinary": "special_result_attribute = memberdn memberurl\nresult_attribute = maildrop\nleaf_result_attribute = mail",
		"terminal":       "special_result_attribute = memberdn memberurl\nresult_attribute =\nleaf_result_attribute = mail\nterminal_result_attribute = maildrop",
		"all":            "special_result_attribute = memberdn memberurl\nresult_attribute = cn\nleaf_result_attribute = mail\nterminal_result_attribute = maildrop",
		"language":       "special_result_attribute = memberurl\nresult_attribute = cn",
		"size":           "special_result_attribute = memberdn memberurl\nsize_limit = 1\nresult_attribute = cn",
		"expansion":      "special_result_attribute = memberdn memberurl\nexpansion_limit = 4",
		"shallow":        "special_result_attribute = memberdn memberurl\nrecursion_limit = 2",
	}), names...)
	loop := b.table("loop", "special_result_attribute = memberdn\nrecursion_limit = 50")
	b.compare([]string{loop}, "loop", "team")
	// Postfix numbers the errors of URLs, and looks the numbers up elsewhere.
	scope := b.table("scope", "special_result_attribute = memberurl")
	if theirs, _ := b.postmap(scope, "urlscope"); theirs != "" {
		t.Errorf("Postfix finds %q", theirs)
	}
	if err := b.wantRetry(b.open(scope), "urlscope"); err == nil || !strings.HasPrefix(err.Error(), "dict_ldap_get_values[1]: malformed URL ldap:///dc=example") {
		t.Errorf("error %v", err)
	}
}

func TestFiltersAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var specs []string
	for i, filter := range []string{
		"(&(uid=%s)(objectClass=*))", "( & (uid=%s) (objectClass=*) )", "(& (uid=%s)\n   (!(cn=Bob))\n  )", "(|(uid=%s)(uid=b))", "uid=%s", " uid=%s", " (uid=%s)", "(uid=%s) ",
		"(! (uid=%s))", "(!(uid=%s) )", "(cn=A**n)", "(cn=*\\*)", "(cn=a(b))", "(cn=\\\\)", "(&\t(uid=%s))", "(uid=%s)(cn=x)", "(uid=%s))", "((uid=%s))", "(uid=%s", "(&(uid=%s)", "uid=%s)", "(!(uid=%s))", "(! (uid=%s) )", "(!(uid=%s)(uid=b))", "(&)", "(|)", "(&(uid=%s)())", "()", "x(uid=%s)",
		"(uid>=%s)", "(uid<=%s)", "(uid~=%s)", "(uid:=%s)", "(uid:caseExactMatch:=%s)", "(uid:dn:=%s)", "(:dn:caseIgnoreMatch:=%s)", "(cn=*%s*)", "(cn=*)", "(cn=**)", "(cn=A*n)", "(cn=*n*n)",
		"(cn=\\41nn)", "(cn=\\4)", "(cn=\\zz)", "(cn=a\\)", "(cn=\\(x)", "(cn=a(b)", "(c n=%s)", "(=x)", "(cn)", "(uid= %s)", "(uid=%s )", "(ui_d=%s)", "(cn;lang-de=Anna)", "(CN=ann)",
		"(|(cn=é)(uid=%s))", "(|(cn=\xe9)(uid=%s))", "(&(|(uid=%s)(cn=Bob))(&(sn=*)(|(cn=Ann)(cn=Bob))))", "(objectClass=inetOrgPerson)", "(nosuch=x)", "(2.5.4.3=ann)", "(uid=%s)\t",
	} {
		specs = append(specs, b.table(fmt.Sprint("filter", i), "result_attribute = uid\nquery_filter = "+filter))
	}
	b.compare(specs, "a", "z)(cn=Bob*")
}

func TestBadSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	specs := []string{"ldap:" + b.dir + "/missing.cf"}
	for name, settings := range map[string]string{
		"badquery":   "query_filter = (uid=%x)",
		"badbase":    "search_base = uid=%",
		"badformat":  "result_format = %0",
		"badint":     "expansion_limit = 1x",
		"badbool":    "start_tls = maybe",
		"badbind":    "bind = maybe",
		"version":    "version = 1",
		"version4":   "version = 4\nbind = no",
		"recursion":  "recursion_limit = 0",
		"emptyscope": "scope =",
		"emptybind":  "bind =",
		"emptyhost":  "server_host =",
		"nofile":     "domain = /no/such/file",
		"nopattern":  "domain = a ! b",
		"noequals":   "bind_pw",
		"badurl":     fmt.Sprintf("server_host = ldap://[ %s", b.server.URL()),
		"badpw":      fmt.Sprintf("bind_dn = %s\nbind_pw = wrong", b.server.RootDN),
		"nopw":       fmt.Sprintf("bind_dn = %s", b.server.RootDN),
		"pw":         fmt.Sprintf("bind_dn = %s\nbind_pw = %s", b.server.RootDN, b.server.Password),
	} {
		specs = append(specs, b.table(name, settings))
	}
	b.compare(specs, "a")
}

// TestRandomKeysAgainstPostfix looks for keys that are quoted otherwise, in a
// filter and in a base.
func TestRandomKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "b", "'", "\"", "\\", "*", "(", ")", "%", "_", "\n", "\r", "\x01", ";", ",", "+", "<", ">", "#", "=", " ", "é", "€", "@", "日", "😀", "�"}
	ldif := content
	var keys []string
	for i := range 60 {
		var key strings.Builder
		for range 1 + random.IntN(8) {
			key.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		keys = append(keys, key.String())
		if i%2 == 0 {
			ldif += fmt.Sprintf("\ndn: uid=r%d,ou=people,dc=example,dc=org\nobjectClass: account\nobjectClass: mailthing\nuid: r%d\nanything:: %s\nmaildrop: %d\n", i, i, base64Of(key.String()), i)
		}
	}
	b := newBenchWith(t, ldif, postfixtest.OpenLDAPDatabase("index uid eq"))
	b.compare([]string{
		b.table("filter", "query_filter = (anything=%s)"),
		b.table("base", "search_base = cn=%s,ou=people,dc=example,dc=org\nquery_filter = (uid=*)"),
	}, keys...)
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
