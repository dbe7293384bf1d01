package query

import (
	"fmt"
	"math"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// SQL is what the tables of all SQL servers have in common.
type SQL struct {
	// Query is the template of the statement.
	Query *Template
	// Text is the template's text, for messages.
	Text string

	Source
}

// OpenSQL reads query, or else the older select_field, table, where_field and
// additional_conditions, and result_format, domain and expansion_limit, of the
// table typ:name. A type that has other older parameters gives functions that
// return the statement that is meant, or nothing; they come after query.
func OpenSQL(env *maptypes.Env, typ, name string, cf *tablecf.Settings, older ...func(*tablecf.Settings) string) (*SQL, error) {
	s := &SQL{}
	format := cf.Required("result_format", "%s")
	s.Text = statement(cf, older)
	if err := s.open(env, typ, name, cf, expansionLimit(cf), format, s.Text); err != nil {
		return nil, err
	}
	s.Query = s.queries[0]
	return s, nil
}

func expansionLimit(cf *tablecf.Settings) int { return cf.Int("expansion_limit", 0, math.MinInt) }

// statement returns the template of the statement.
func statement(cf *tablecf.Settings, older []func(*tablecf.Settings) string) string {
	cf.Known("table", "select_field", "where_field", "additional_conditions")
	text := cf.String("query", "")
	for _, statement := range older {
		if other := statement(cf); text == "" {
			text = other
		}
	}
	if text != "" {
		return text
	}
	table, field, where := cf.Required("table", ""), cf.Required("select_field", ""), cf.Required("where_field", "")
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s='%%s' %s", field, table, where, cf.String("additional_conditions", ""))
}
