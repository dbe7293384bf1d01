package query

import (
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// OpenSource reads result_format and domain of the table typ:name, for a type
// whose queries are neither statements nor searches. The queries are parsed as
// templates that are made of a key, and returned in their order. The limit is
// that of values per lookup; none if not positive.
func OpenSource(env *maptypes.Env, typ, name string, cf *tablecf.Settings, limit int, queries ...string) (*Source, []*Template, error) {
	s := &Source{}
	if err := s.open(env, typ, name, cf, limit, cf.Required("result_format", "%s"), queries...); err != nil {
		return nil, nil, err
	}
	return s, s.queries, nil
}
