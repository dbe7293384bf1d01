package query

import (
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Search is what the tables of directory servers have in common.
type Search struct {
	// Base and Filter are the templates of what is searched, and for what.
	Base, Filter *Template

	Source
}

// OpenSearch reads search_base, query_filter, result_format, or else the older
// result_filter, domain and expansion_limit, of the table typ:name
// (ldap_table(5)).
func OpenSearch(env *maptypes.Env, typ, name string, cf *tablecf.Settings) (*Search, error) {
	s := &Search{}
	format := cf.String("result_format", "")
	if cf.Known("result_filter"); format == "" {
		format = cf.Required("result_filter", "%s")
	}
	base, filter := cf.String("search_base", ""), cf.String("query_filter", "(mailacceptinggeneralid=%s)")
	if err := s.open(env, typ, name, cf, expansionLimit(cf), format, base, filter); err != nil {
		return nil, err
	}
	s.Base, s.Filter = s.queries[0], s.queries[1]
	if s.Filter.Fixed() {
		env.Warnf("dict_%s_open: %s: Fixed query_filter %s is probably useless", typ, name, filter)
	}
	return s, nil
}

// Limit returns expansion_limit, or 0 for none.
func (s *Search) Limit() int { return max(s.limit, 0) }
