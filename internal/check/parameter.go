package check

import (
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
)

// grammar is how the value of a parameter names tables.
type grammar int

const (
	noTables     grammar = iota
	tables               // every word is type:name
	matchList            // names, patterns, /file/name and type:name, each perhaps with ! in front
	restrictions         // names of restrictions, some of them followed by type:name
)

// Names and endings of names of the parameters that hold tables.
var (
	tableNames = []string{
		"address_verify_map", "alias_database", "lmtp_tls_per_site", "postscreen_cache_map", "postscreen_dnsbl_reply_map",
		"relay_clientcerts", "smtp_tls_per_site", "tlsproxy_client_per_site",
	}
	tableEndings = []string{
		"_maps", "_checks", "_auth_cache_name", "_cache_database", "_command_filter", "_dns_reply_filter", "_reply_filter",
		"_status_filter",
	}
	listNames = []string{
		"debug_peer_list", "mydestination", "mynetworks", "permit_mx_backup_networks", "postscreen_access_list",
		"postscreen_allowlist_interfaces", "postscreen_forbidden_commands", "smtp_connection_cache_destinations",
		"lmtp_connection_cache_destinations", "smtpd_forbidden_commands", "smtpd_log_access_permit_actions",
		"smtpd_noop_commands", "use_srv_lookup",
	}
	listEndings = []string{
		"_clients", "_domains", "_exceptions", "_exceptions_networks", "_exclusions", "_hosts", "_mechanism_filter", "_users",
	}
)

// policyService is the restriction whose argument is a server and not a table.
const policyService = "check_policy_service"

// grammarOf tells how the value of a parameter names tables, by the parameter's name.
func grammarOf(name string) grammar {
	if p, ok := config.Lookup(name); ok && p.Type != config.TypeString && p.Type != config.TypeLegacy {
		return noTables
	}
	has := func(ending string) bool { return strings.HasSuffix(name, ending) }
	switch {
	case name == readList, name == writeList, name == "maps_rbl_domains", name == "masquerade_domains":
		return noTables
	case has("_restrictions"), name == "local_header_rewrite_clients", name == "smtp_requiretls_policy", name == "lmtp_requiretls_policy":
		return restrictions
	case slices.Contains(tableNames, name), slices.ContainsFunc(tableEndings, has):
		return tables
	case slices.Contains(listNames, name), slices.ContainsFunc(listEndings, has):
		return matchList
	}
	return noTables
}

// traits are what the parameter that names a table says about the table.
type traits struct {
	Write  bool // the table is a cache, which is opened for writing and made when it is missing
	Alias  bool // the source is in the format of aliases(5)
	Files  bool // the values are names of files, whose content counts
	Secret bool // values are credentials
}

// traitsOf returns what is known of the tables of a parameter.
func traitsOf(name string) traits {
	contains := func(part string) bool { return strings.Contains(name, part) }
	cache := contains("_auth_cache_name") || contains("_session_cache_database")
	return traits{
		Write:  cache || name == "address_verify_map" || name == "postscreen_cache_map",
		Alias:  name == "alias_maps" || name == "alias_database",
		Files:  name == "tls_server_sni_maps",
		Secret: cache || name == "tls_server_sni_maps" || soundsSecret(name),
	}
}

// soundsSecret tells from a name whether values may be credentials.
func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"pass", "pwd", "secret", "cred", "sasl", "private", "key", "token", "userdb", "shadow"},
		func(part string) bool { return strings.Contains(name, part) })
}
