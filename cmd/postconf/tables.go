package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// scanTables looks for type:name in a value. A database client that is configured in main.cf (type:prefix) makes the
// parameters known whose names start with the prefix; one with a file of its own (type:/path) gets its file checked.
func (pc *postconf) scanTables(value string, s *service) error {
	text, err := pc.expandValue(value, s, 0)
	if err != nil {
		return err
	}
	return pc.scanTableList(text, s, true)
}

func (pc *postconf) scanTableList(text string, s *service, recurse bool) error {
	for {
		item, rest, ok := textfile.NextWord(text, textfile.CommaSpace)
		if !ok {
			return nil
		}
		if item[0] == '#' {
			pc.warn("%s: #comment after other text is not allowed: %s %s...", pc.source(s), item, rest[:min(20, len(rest))])
			return nil
		}
		if err := pc.scanTable(item, s, recurse); err != nil {
			return err
		}
		text = rest
	}
}

// scanTable looks at one item of a list, which may be a table or any other text.
func (pc *postconf) scanTable(item string, s *service, recurse bool) error {
	if item[0] == '{' {
		inside := pc.unbrace(item, s)
		if !recurse {
			return nil
		}
		return pc.scanTableList(inside, s, recurse)
	}
	kind, name, ok := strings.Cut(item, ":")
	for ok && (kind == "proxy" || kind == "debug") {
		kind, name, ok = strings.Cut(name, ":")
	}
	switch {
	case !ok || strings.HasPrefix(name, "."):
		return nil
	case strings.HasPrefix(name, "/"):
		if clientParameters[kind] != nil || ownClientParameters[kind] != nil {
			return pc.checkClient(kind, name)
		}
		return nil
	case strings.HasPrefix(name, "{"):
		if kind == "regexp" || kind == "pcre" {
			recurse = false // what is in there are patterns
		}
		return pc.scanTableList(pc.unbrace(name, s), s, recurse)
	}
	for _, suffix := range slices.Concat(clientParameters[kind], ownClientParameters[kind]) {
		pc.use(name+"_"+suffix, s, false)
	}
	return nil
}

func (pc *postconf) unbrace(text string, s *service) string {
	inside, err := textfile.Unbrace(text)
	if err != nil {
		where := pc.source(s)
		if s != nil {
			where += ":" + s.name()
		}
		pc.warn("%s: %v", where, err)
	}
	return inside
}

// checkClient warns, once per file, about unknown parameters in a database client's configuration file.
func (pc *postconf) checkClient(kind, path string) error {
	table := kind + ":" + path
	if pc.clients[table] {
		return nil
	}
	pc.clients[table] = true
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil // it may hold a password and is none of this user's business
	case err == nil && !info.Mode().IsRegular():
		pc.warn("open \"%s\" configuration \"%s\": not a regular file", kind, path)
		return nil
	}
	settings := map[string]string{}
	err = config.ReadSettings(path, func(m string) { pc.warn("%s", m) }, func(name, value string, line int) {
		if old, ok := settings[name]; ok && old != value {
			pc.warn("%s, line %d: overriding earlier entry: %s=%s", path, line, name, old)
		}
		settings[name] = value
	})
	var pathErr *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil
	case errors.As(err, &pathErr):
		reason := pathErr.Err.Error()
		pc.warn("open \"%s\" configuration \"%s\": %s", kind, path, strings.ToUpper(reason[:1])+reason[1:])
		return nil
	case err != nil:
		return err
	}
	if pc.quiet {
		return nil
	}
	for _, known := range slices.Concat(clientParameters[kind], ownClientParameters[kind]) {
		delete(settings, known)
	}
	for _, name := range sortedKeys(settings) {
		pc.warn("%s: unused parameter: %s=%s", table, name, settings[name])
	}
	return nil
}

// clientParameters are the parameters of database clients, from ldap_table(5), mysql_table(5) and so on.
var clientParameters = map[string][]string{
	"ldap": {
		"bind", "bind_dn", "bind_pw", "cache", "cache_expiry", "cache_size", "chase_referrals", "debuglevel",
		"dereference", "domain", "expansion_limit", "leaf_result_attribute", "query_filter", "recursion_limit",
		"result_attribute", "result_filter", "result_format", "sasl_authz_id", "sasl_mechs", "sasl_minssf", "sasl_realm",
		"scope", "search_base", "server_host", "server_port", "size_limit", "special_result_attribute", "start_tls",
		"terminal_result_attribute", "timeout", "tls_ca_cert_dir", "tls_ca_cert_file", "tls_cert", "tls_cipher_suite",
		"tls_key", "tls_random_file", "tls_require_cert", "version",
	},
	"memcache": {
		"backup", "data_size_limit", "domain", "flags", "key_digest", "key_format", "line_size_limit", "max_try", "memcache",
		"retry_pause", "timeout", "ttl",
	},
	"mongodb": {
		"collection", "dbname", "domain", "expansion_limit", "projection", "query_filter", "result_attribute",
		"result_format", "uri",
	},
	"mysql": {
		"additional_conditions", "charset", "dbname", "domain", "expansion_limit", "hosts", "idle_interval", "option_file",
		"option_group", "password", "query", "require_result_set", "result_format", "retry_interval", "select_field",
		"table", "tls_CAfile", "tls_CApath", "tls_cert_file", "tls_ciphers", "tls_key_file", "tls_verify_cert", "user",
		"where_field",
	},
	"pgsql": {
		"additional_conditions", "dbname", "domain", "encoding", "expansion_limit", "hosts", "idle_interval", "password",
		"query", "result_format", "retry_interval", "select_field", "select_function", "table", "user", "where_field",
	},
	"sqlite": {
		"additional_conditions", "dbpath", "domain", "expansion_limit", "query", "result_format", "select_field", "table",
		"where_field",
	},
}

// withServer are the parameters that we have added to all types that ask a server (docs/maps).
var withServer = []string{
	"connection_lifetime", "idle_interval", "lookup_timeout", "max_connections", "max_lookups", "retry_interval",
}

// ownClientParameters are those that Postfix does not have, and those of the types that it does not have.
var ownClientParameters = map[string][]string{
	"ldap":     append([]string{"password_file"}, withServer...),
	"memcache": withServer,
	"mongodb":  append([]string{"uri_file"}, withServer...),
	"mysql":    append([]string{"password_file", "pipeline"}, withServer...),
	"pgsql":    append([]string{"password_file"}, withServer...),
	"sqlite":   withServer,
	"redis": append([]string{
		"db", "domain", "field_format", "hosts", "key_format", "mode", "password", "password_file", "result_format",
		"sentinel_master", "sentinel_password", "sentinel_password_file", "sentinel_user", "tls", "tls_cert_file",
		"tls_key_file", "tls_server_name", "tls_verify_cert", "tls_CAfile", "tls_CApath", "ttl", "user", "wait_replicas",
	}, withServer...),
	"http": append([]string{
		"body_size_limit", "domain", "expansion_limit", "field", "header_file", "hosts", "not_found_status", "password",
		"password_file", "result_format", "tls_cert_file", "tls_key_file", "tls_server_name", "tls_verify_cert",
		"tls_CAfile", "tls_CApath", "token", "token_file", "url", "user",
	}, withServer...),
}
