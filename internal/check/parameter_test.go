package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes"
)

// TestParametersWithTables: Postfix's default allowlists name parameters that hold tables, and no others. The rest of
// those that this program takes for one are listed here.
func TestParametersWithTables(t *testing.T) {
	var want []string
	for _, list := range []string{readList, writeList} {
		p, _ := config.Lookup(list)
		for word := range strings.FieldsSeq(p.Default) {
			want = append(want, strings.TrimPrefix(word, "$"))
		}
	}
	for _, name := range want {
		if grammarOf(name) == noTables {
			t.Errorf("%s is in a default allowlist, and is not looked at", name)
		}
	}
	more := []string{
		"alias_database", "authorized_verp_clients", "lmtp_requiretls_policy", "lmtp_sasl_mechanism_filter", "lmtp_tls_per_site", "lmtp_tls_session_cache_database",
		"permit_mx_backup_networks", "postscreen_dnsbl_reply_map", "relay_clientcerts", "smtp_tls_per_site", "smtp_tls_session_cache_database",
		"smtpd_client_connection_limit_exceptions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions", "smtpd_forbid_bare_newline_exclusions", "smtpd_noop_commands",
		"smtpd_tls_session_cache_database", "tlsproxy_client_per_site", "use_srv_lookup", "virtual_maps",
	}
	var got []string
	for _, name := range config.Names() {
		if grammarOf(name) != noTables && !slices.Contains(want, name) {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, more) {
		t.Errorf("other parameters with tables:\n%q\nwant:\n%q", got, more)
	}
}

// TestScan looks at what counts as a table in each kind of value.
func TestScan(t *testing.T) {
	known := []string{"hash", "proxy", "regexp", "unix", "inline", "unionmap", "pipemap", "cidr"}
	for _, c := range []struct {
		grammar grammar
		value   string
		want    string // tables, with who opens them for others
	}{
		{tables, "hash:/a, bare proxy:hash:/b", "hash:/a bare proxy:hash:/b@proxymap"},
		{tables, "unionmap:{hash:/a,proxy:hash:/b}", "unionmap:{hash:/a,proxy:hash:/b} hash:/a proxy:hash:/b@proxymap"},
		{tables, "proxy:pipemap:{hash:/a,proxy:hash:/b}", "proxy:pipemap:{hash:/a,proxy:hash:/b}@proxymap hash:/a@proxymap proxy:hash:/b@proxymap"},
		{tables, "unionmap:{hash:/a", "unionmap:{hash:/a"},
		{matchList, "2001:db8::1 [::1] fe80::/10 ::1 host:25 !hash:/a example.com nosuch:/b", "hash:/a nosuch:/b"},
		{restrictions, "check_client_access hash:/a, permit", "hash:/a"},
		{restrictions, "check_policy_service unix:p hash:/a check_policy_service { unix:p, timeout=1 }", "hash:/a"},
		{restrictions, "check_ccert_access { hash:/a { search_order = cert_fingerprint } }", "hash:/a"},
		{restrictions, "reject_rbl_client a.example=127.0.0.1 hash:/a", "hash:/a"},
		{restrictions, "check_helo_access regexp:{{/^a:b/ hash:/x}}", "regexp:{{/^a:b/ hash:/x}}"},
	} {
		var got []string
		s := &scanner{
			env: &maptypes.Env{}, readers: "proxymap", writers: "proxywrite",
			types: func(typ string) bool { return slices.Contains(known, typ) },
			found: func(m mention) {
				text := m.spec
				if m.asked != "" {
					text += "@" + m.asked
				}
				got = append(got, text)
			},
			complain: func(where, text string) { t.Errorf("%s: complaint %s", c.value, text) },
		}
		s.scan(c.value, c.grammar, mention{}, 0)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.value, got, c.want)
		}
	}
}

// TestScanEnds: what contains itself is not followed for ever.
func TestScanEnds(t *testing.T) {
	complaints := 0
	s := &scanner{
		env: &maptypes.Env{}, types: func(string) bool { return true }, found: func(mention) {},
		complain: func(string, string) { complaints++ },
	}
	value := "hash:/a"
	for range 100 {
		value = fmt.Sprintf("unionmap:{%s}", value)
	}
	s.scan(value, tables, mention{}, 0)
	s.scan(strings.Repeat("{", 100)+strings.Repeat("}", 100), restrictions, mention{}, 0)
	if complaints != 2 {
		t.Errorf("%d complaints, want 2", complaints)
	}
}

// TestPasswordsInMessages: older tables have their settings in main.cf.
func TestPasswordsInMessages(t *testing.T) {
	for text, want := range map[string]string{
		"main.cf, line 3: overriding earlier entry: users_password=hunter":     "main.cf, line 3: overriding earlier entry: users_password=(not shown)",
		"macro processing error: x: users_bind_pw = ${hunter":                  "macro processing error: x: users_bind_pw (not shown)",
		"main.cf, line 3: missing '=' after attribute name: \"password hunter": "main.cf, line 3: missing '=' after attribute name: \"password (not shown)",
		"main.cf, line 3: overriding earlier entry: relayhost=x":               "main.cf, line 3: overriding earlier entry: relayhost=x",
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
