package main

// replacements are the parameters that Postfix 3.11 has removed or is going to, and what it recommends instead.
var replacements = map[string]string{
	"authorized_verp_clients":                  `specify "smtpd_authorized_verp_clients"`,
	"deleted-test-only":                        "do not specify",
	"disable_dns_lookups":                      `specify "smtp_dns_support_level"`,
	"fallback_relay":                           `specify "smtp_fallback_relay"`,
	"lmtp_cname_overrides_servername":          "do not specify",
	"lmtp_enforce_tls":                         "lmtp_tls_security_level",
	"lmtp_per_record_deadline":                 `specify "lmtp_per_request_deadline"`,
	"lmtp_tls_enforce_peername":                `specify "lmtp_tls_security_level"`,
	"lmtp_tls_per_site":                        `specify "lmtp_tls_policy_maps"`,
	"lmtp_use_tls":                             `specify "lmtp_tls_security_level"`,
	"postscreen_blacklist_action":              `specify "postscreen_denylist_action"`,
	"postscreen_dnsbl_ttl":                     `specify "postscreen_dnsbl_max_ttl"`,
	"postscreen_dnsbl_whitelist_threshold":     `specify "postscreen_dnsbl_allowlist_threshold"`,
	"postscreen_enforce_tls":                   `specify "postscreen_tls_security_level"`,
	"postscreen_use_tls":                       `specify "postscreen_tls_security_level"`,
	"postscreen_whitelist_interfaces":          `specify "postscreen_allowlist_interfaces"`,
	"smtp_cname_overrides_servername":          "do not specify",
	"smtp_enforce_tls":                         `specify "smtp_tls_security_level"`,
	"smtp_per_record_deadline":                 `specify "smtp_per_request_deadline"`,
	"smtp_tls_enforce_peername":                `specify "smtp_tls_security_level"`,
	"smtp_tls_per_site":                        `specify "smtp_tls_policy_maps"`,
	"smtp_use_tls":                             `specify "smtp_tls_security_level"`,
	"smtpd_client_connection_limit_exceptions": `specify "smtpd_client_event_limit_exceptions"`,
	"smtpd_enforce_tls":                        `specify "smtpd_tls_security_level"`,
	"smtpd_per_record_deadline":                `specify "smtpd_per_request_deadline"`,
	"smtpd_tls_dh1024_param_file":              "do not specify (leave at default)",
	"smtpd_tls_eecdh_grade":                    "do not specify (leave at default)",
	"smtpd_use_tls":                            `specify "smtpd_tls_security_level"`,
	"tlsproxy_client_enforce_tls":              `specify "tlsproxy_client_security_level"`,
	"tlsproxy_client_level":                    `specify "tlsproxy_client_security_level"`,
	"tlsproxy_client_per_site":                 `specify "tlsproxy_client_policy_maps"`,
	"tlsproxy_client_policy":                   `specify "tlsproxy_client_policy_maps"`,
	"tlsproxy_client_use_tls":                  `specify "tlsproxy_client_security_level"`,
	"tlsproxy_enforce_tls":                     `specify "tlsproxy_tls_security_level"`,
	"tlsproxy_use_tls":                         `specify "tlsproxy_tls_security_level"`,
	"virtual_maps":                             `specify "virtual_alias_maps"`,
}

// warnUnused warns, after the output, about settings that nothing uses and about deprecated ones.
func (pc *postconf) warnUnused() {
	if pc.quiet {
		return
	}
	pc.warnUnusedIn(pc.main, nil)
	pc.warnUnusedMaster()
}

// warnUnusedMaster does the same for master.cf alone.
func (pc *postconf) warnUnusedMaster() {
	if pc.quiet {
		return
	}
	for _, s := range pc.services {
		pc.warnUnusedIn(s.params, s)
	}
	if pc.deprecated {
		pc.warnLate("See https://www.postfix.org/DEPRECATION_README.html for details")
	}
}

func (pc *postconf) warnUnusedIn(settings map[string]string, s *service) {
	for _, name := range sortedKeys(settings) {
		known := pc.nodes[name] != nil || s != nil && s.used[name]
		instead := replacements[name]
		switch {
		case known && instead != "":
			pc.deprecated = true
			pc.warnLate("%s: support for parameter \"%s\" will be removed; instead, %s", pc.source(s), name, instead)
		case known:
		case instead != "":
			pc.deprecated = true
			pc.warnLate("%s: support for parameter %s has been removed; instead, %s", pc.source(s), name, instead)
		default:
			pc.warnLate("%s: unused parameter: %s=%s", pc.source(s), name, settings[name])
		}
	}
}
