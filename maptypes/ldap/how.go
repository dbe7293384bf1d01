package ldap

import (
	"math"
	"strings"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// how says how a table searches.
type how struct {
	scope, dereference int // the protocol's numbers
	timeLimit          time.Duration
	sizeLimit          int // of entries per search; 0: none
	recursionLimit     int // of searches for what other searches have found
	referrals          bool
}

// defaultTimeout is that of the parameter timeout.
const defaultTimeout = 10 * time.Second

// readTimeout returns the limit of one search, which the server is told.
func readTimeout(cf *tablecf.Settings) time.Duration {
	return cf.Seconds("timeout", defaultTimeout, time.Second)
}

// readLimits reads the limits that all types with a server have. The time that a
// table gives a search is what it gives a lookup, unless it says more.
func readLimits(cf *tablecf.Settings) backend.Limits {
	limits := backend.ReadLimits(cf)
	_, lookupGiven := cf.Lookup("lookup_timeout")
	if _, given := cf.Lookup("timeout"); given && !lookupGiven {
		limits.LookupTimeout = readTimeout(cf)
	}
	return limits
}

// readHow reads the parameters about searches. What is not known is replaced with
// a warning, as Postfix does.
func readHow(env *maptypes.Env, name string, cf *tablecf.Settings, expansionLimit int) how {
	h := how{
		timeLimit:      readTimeout(cf),
		sizeLimit:      max(cf.Int("size_limit", expansionLimit, math.MinInt), 0),
		recursionLimit: cf.Int("recursion_limit", 1000, 1),
		dereference:    cf.Int("dereference", 0, math.MinInt),
		referrals:      cf.Bool("chase_referrals", false),
	}
	scope := cf.Required("scope", "sub")
	switch strings.ToLower(scope) {
	case "one":
		h.scope = client.ScopeSingleLevel
	case "base":
		h.scope = client.ScopeBaseObject
	case "sub":
		h.scope = client.ScopeWholeSubtree
	case "": // an error, which is kept
	default:
		env.Warnf("dict_ldap_open: %s: Unrecognized value %s specified for scope; using sub", name, scope)
		h.scope = client.ScopeWholeSubtree
	}
	if h.dereference < client.NeverDerefAliases || h.dereference > client.DerefAlways {
		env.Warnf("dict_ldap_open: %s Unrecognized value %d specified for dereference; using 0", name, h.dereference)
		h.dereference = client.NeverDerefAliases
	}
	warnIgnored(env, name, cf)
	return h
}

// warnIgnored warns of parameters that have no effect here; those of the cache
// have none in Postfix either.
func warnIgnored(env *maptypes.Env, name string, cf *tablecf.Settings) {
	if cf.Bool("cache", false) {
		env.Warnf("dict_ldap_open: %s ignoring cache", name)
	}
	for _, parameter := range []string{"cache_expiry", "cache_size"} {
		if cf.Int(parameter, -1, math.MinInt) >= 0 {
			env.Warnf("dict_ldap_open: %s ignoring %s", name, parameter)
		}
	}
	if cf.Int("debuglevel", 0, math.MinInt) > 0 {
		env.Warnf("dict_ldap_open: %s ignoring debuglevel", name)
	}
	if cf.String("tls_random_file", "") != "" {
		env.Warnf("dict_ldap_open: %s ignoring tls_random_file", name)
	}
}
