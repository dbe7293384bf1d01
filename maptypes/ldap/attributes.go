package ldap

import (
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// role is what a table does with the values of an attribute.
type role int

const (
	noRole   role = iota
	terminal      // the result, and nothing else of the entry is
	leaf          // the result, unless the entry has values to search for
	ordinary      // the result
	special       // a DN or URL to search for
)

// attributes are those that a table asks for.
type attributes struct {
	names []string // as in the protocol: ordered by role
	roles []role   // of the names
}

// readAttributes reads the names of the attributes.
func readAttributes(cf *tablecf.Settings) attributes {
	var a attributes
	for _, list := range []struct {
		role      role
		parameter string
		def       string
	}{
		{terminal, "terminal_result_attribute", ""},
		{leaf, "leaf_result_attribute", ""},
		{ordinary, "result_attribute", "maildrop"},
		{special, "special_result_attribute", ""},
	} {
		for _, name := range textfile.SplitList(cf.String(list.parameter, list.def)) {
			a.names = append(a.names, name)
			a.roles = append(a.roles, list.role)
		}
	}
	return a
}

// role returns the role of an attribute that a server has sent, with its
// options.
func (a *attributes) role(name string) role {
	for i, wanted := range a.names {
		if moreSpecific(wanted, name) {
			return a.roles[i]
		}
	}
	return noRole
}

// has reports whether an entry has values of an attribute with the role, named
// without other options.
func (a *attributes) has(entry *client.Entry, wanted role) bool {
	for i, name := range a.names {
		if a.roles[i] == wanted && len(entry.GetEqualFoldRawAttributeValues(name)) > 0 {
			return true
		}
	}
	return false
}

// moreSpecific reports whether two descriptions of attributes are the same, or
// the second has options more than the first: "cn" and "cn;lang-en".
func moreSpecific(general, description string) bool {
	n := len(general)
	return len(description) >= n && strings.EqualFold(description[:n], general) && (len(description) == n || description[n] == ';')
}

// among returns those of the attributes that a URL asks for: of two descriptions
// the one with more options. All of them when the URL names none.
func (a *attributes) among(names []string) []string {
	if len(names) == 0 {
		return a.names
	}
	var both []string
	for _, name := range names {
		for _, wanted := range a.names {
			switch {
			case moreSpecific(name, wanted):
				both = append(both, wanted)
			case moreSpecific(wanted, name):
				both = append(both, name)
			}
		}
	}
	return both
}
