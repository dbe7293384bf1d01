package ldap

import (
	"fmt"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes"
)

// explained is find with a trace.
func (l *lookup) explained(t *maptypes.Trace, what search) ([]*client.Entry, error) {
	attributes := "all attributes"
	if len(what.attributes) > 0 {
		attributes = "attributes " + strings.Join(what.attributes, ", ")
	}
	t.Begin("", "search: base %q, scope %s, filter %s, %s", what.base, scopeName(what.scope), maptypes.Printable([]byte(what.filter)), attributes)
	entries, err := l.search(what)
	if err != nil {
		t.End("error: " + maptypes.Printable([]byte(err.Error())))
		return entries, err
	}
	for _, entry := range entries {
		t.Step("entry %s", maptypes.Quote([]byte(entry.DN)))
	}
	t.End(count(entries))
	return entries, nil
}

// count says how many entries there are.
func count(entries []*client.Entry) string {
	if len(entries) == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", len(entries))
}

// scopeName is what ldap_table(5) calls a scope.
func scopeName(scope int) string {
	switch scope {
	case client.ScopeBaseObject:
		return "base"
	case client.ScopeSingleLevel:
		return "one"
	}
	return "sub"
}
