package config

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

type recordedDefaults struct {
	Values           map[string]string
	Unknown          []string
	DirectReferences map[string][]string `json:"direct_references"`
}

func readDefaults(t *testing.T, version string) recordedDefaults {
	t.Helper()
	data, err := os.ReadFile("../../testdata/vectors/defaults.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	var defaults recordedDefaults
	if err := json.Unmarshal(all[version], &defaults); err != nil {
		t.Fatal(err)
	}
	if len(defaults.Values) == 0 {
		t.Fatalf("no values for %s", version)
	}
	return defaults
}

// Defaults that differ from the recordings, and why.
var (
	differFrom311 = map[string]string{
		"command_directory": "the recording has the path of its own installation",
	}
	differFrom37 = map[string]string{
		"address_verify_map":          "3.11: depends on default_cache_db_type",
		"alias_maps":                  "3.11: depends on default_database_type",
		"import_environment":          "3.11: has one more name",
		"mail_release_date":           "the version",
		"mail_version":                "the version",
		"postscreen_cache_map":        "3.11: depends on default_cache_db_type",
		"proxy_read_maps":             "3.11: a longer list",
		"service_name":                "3.11: has a default",
		"shlib_directory":             "Debian's path",
		"tlsproxy_client_policy_maps": "3.11: another form with the same meaning",
		"daemon_directory":            "depends on the machine",
	}
)

func TestDefaults(t *testing.T) {
	for version, differences := range map[string]map[string]string{"3.11.4": differFrom311, "3.7.11": differFrom37} {
		p := New("/etc/postfix", nil)
		for name, want := range readDefaults(t, version).Values {
			got, ok := p.Default(name)
			same := ok && strings.Join(strings.Fields(got), " ") == strings.Join(strings.Fields(want), " ")
			if reason := differences[name]; same == (reason != "") && name != "daemon_directory" {
				t.Errorf("%s: %s\ngot  %s\nwant %s (%s)", version, name, got, want, reason)
			}
		}
	}
}

func TestUnknownParameters(t *testing.T) {
	for _, name := range readDefaults(t, "3.11.4").Unknown {
		if p, ok := Lookup(name); ok && p.Type != TypeLegacy {
			t.Errorf("%s is not a parameter of 3.11.4", name)
		}
	}
}

// TestProxyMapsReferences holds that every parameter exists that the lists of approved tables refer to.
func TestProxyMapsReferences(t *testing.T) {
	for list, want := range readDefaults(t, "3.11.4").DirectReferences {
		var names []string
		x := Expander{Lookup: func(name string) (string, bool) { names = append(names, name); return "", false }}
		value, _ := New("/etc/postfix", nil).Default(list)
		if err := x.Scan(value); err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s refers to %q, want %q", list, names, want)
		}
		for _, name := range names {
			if _, ok := Lookup(name); !ok {
				t.Errorf("%s refers to %s, which is unknown", list, name)
			}
		}
	}
}

// TestDefaultsAreValid checks that all defaults have the type and the limits of their parameters.
func TestDefaultsAreValid(t *testing.T) {
	p := New("/etc/postfix", map[string]string{"compatibility_level": "3.6"})
	for _, name := range Names() {
		if err := p.Check(name); err != nil && name != "virtual_mailbox_base" { // that one has to be set
			t.Error(err)
		}
		if b, _ := Lookup(name); strings.HasPrefix(name, "proxymapd_") == (b.Doc == "") {
			t.Errorf("%s: documentation %q", name, b.Doc)
		}
	}
}

func TestHostDefaults(t *testing.T) {
	for _, tc := range []struct {
		system string
		set    map[string]string
		host   string
		domain string
	}{
		{"mx.example.org", nil, "mx.example.org", "example.org"},
		{"mx", nil, "mx.localdomain", "localdomain"},
		{"mx", map[string]string{"mydomain": "a.example"}, "mx.a.example", "a.example"},
		{"mx", map[string]string{"mydomain": "$mydest.example", "mydest": "d"}, "mx.d.example", "d.example"},
		{"mx", map[string]string{"myhostname": "h.b.example"}, "h.b.example", "b.example"},
		{"mx", map[string]string{"myhostname": "plain"}, "plain", "localdomain"},
		{"mx", map[string]string{"myhostname": "h.$mydomain", "mydomain": "c.example"}, "h.c.example", "c.example"},
		// Loops end.
		{"mx", map[string]string{"mydomain": "x.$myhostname"}, "mx.x.", "x.mx.x."},
		{"mx", map[string]string{"myhostname": "h.$mydomain"}, "h.", ""},
	} {
		p := New("/etc/postfix", tc.set)
		p.machine.hostname = func() string { return tc.system }
		host, _ := p.String("myhostname")
		domain, _ := p.Eval("$mydomain")
		if host != tc.host || domain != tc.domain {
			t.Errorf("%s %v: got %q %q, want %q %q", tc.system, tc.set, host, domain, tc.host, tc.domain)
		}
	}
}

func TestNetworks(t *testing.T) {
	var local []netip.Prefix
	for _, s := range []string{"127.0.0.1/8", "192.0.2.2/24", "10.9.8.7/20", "172.16.1.1/12", "::1/128", "fd00::2/64"} {
		local = append(local, netip.MustParsePrefix(s))
	}
	for _, tc := range []struct{ style, interfaces, protocols, want string }{
		{"subnet", "all", "all", "127.0.0.0/8 192.0.2.0/24 10.9.0.0/20 172.16.0.0/12 [::1]/128 [fd00::]/64"},
		{"host", "all", "ipv4", "127.0.0.1/32 192.0.2.2/32 10.9.8.7/32 172.16.1.1/32"},
		{"class", "all", "ipv4, ipv6", "127.0.0.0/8 192.0.2.0/24 10.0.0.0/8 172.16.0.0/16 [::1]/128 [fd00::]/64"},
		{"subnet", "loopback-only", "all", "127.0.0.0/8 [::1]/128"},
		{"subnet", "[fd00::2], 10.9.8.7 192.0.2.99", "all", "[fd00::]/64 10.9.0.0/20"},
		{"subnet", "all", "", ""},
	} {
		if got := networksOf(local, tc.style, tc.interfaces, tc.protocols); got != tc.want {
			t.Errorf("%+v: got %s", tc, got)
		}
	}
}
