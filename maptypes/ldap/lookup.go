package ldap

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
)

// lookup is one lookup on one connection.
type lookup struct {
	ctx    context.Context
	table  *table
	conn   *conn
	result *query.Result
	level  int // of searches for what searches have found; the first has 1

	referrals int // that were followed
}

// search is what a server is asked.
type search struct {
	base       string
	scope      int
	filter     string
	attributes []string
}

// everything is the filter that all entries match.
const everything = "(objectClass=*)"

// run searches for a key and gathers the result.
func (l *lookup) run(key *query.Parts) error {
	t := l.table
	base := string(t.search.Base.Append(nil, key, key, quoteDN))
	entries, err := l.find(search{
		base:       base,
		scope:      t.how.scope,
		filter:     string(t.search.Filter.Append(nil, key, key, quoteFilter)),
		attributes: t.attributes.names,
	})
	switch {
	case err == nil:
		return l.gather(entries)
	case !isNoSuchObject(err):
		return l.failed(err, "dict_ldap_lookup: Search")
	case !t.search.Base.Fixed():
		return maptypes.ErrNotFound // the base is as good as a part of the key
	}
	return maptypes.Retryf("dict_ldap_lookup: %s: Search base '%s' not found: %w", t.name, base, err)
}

// find performs a search.
func (l *lookup) find(what search) ([]*client.Entry, error) {
	if t := l.result.Trace; t != nil {
		return l.explained(t, what)
	}
	return l.search(what)
}

func (l *lookup) search(what search) ([]*client.Entry, error) {
	filter, err := canonicalFilter(what.filter)
	if err != nil {
		return nil, err
	}
	what.filter = filter
	if !l.table.how.referrals {
		found, err := l.conn.search(what, l.table.how)
		return found.Entries, err
	}
	return l.follow(l.conn, what, 0)
}

// search asks the server of the connection, which may answer in part even with
// an error. The connection is lost when the error is no resultError.
func (c *conn) search(what search, how how) (*client.SearchResult, error) {
	found, err := c.ldap.Search(&client.SearchRequest{
		BaseDN:       what.base,
		Scope:        what.scope,
		DerefAliases: how.dereference,
		SizeLimit:    how.sizeLimit,
		TimeLimit:    int(how.timeLimit.Seconds()),
		Filter:       what.filter,
		Attributes:   what.attributes,
	})
	if found == nil {
		found = &client.SearchResult{}
	}
	if err != nil && c.raw.left.Load() < 0 {
		return found, errTooMuch
	}
	return found, reason(err)
}

func isNoSuchObject(err error) bool {
	var answer *resultError
	return errors.As(err, &answer) && answer.code == client.LDAPResultNoSuchObject
}

// failed is the error of a search, which is about this key alone unless the
// connection is lost.
func (l *lookup) failed(err error, what string) error {
	switch {
	case errors.Is(err, maptypes.ErrRetry), errors.Is(err, maptypes.ErrNotFound):
		return err
	case errors.Is(err, errTooMuch):
		return maptypes.Retryf("%s error: %w", what, err)
	case errors.Is(err, errFilter):
		return maptypes.Retryf("%s error %w", what, err)
	}
	err = lost(err)
	if backend.IsLost(err) {
		return backend.Lost(fmt.Errorf("%s error %w", what, err))
	}
	return maptypes.Retryf("%s error %w", what, err)
}

// caller is what log lines have in front about the values of entries.
func (l *lookup) caller() string { return fmt.Sprintf("dict_ldap_get_values[%d]", l.level) }

// gather adds the values of entries to the result, and searches for those that
// name other entries.
func (l *lookup) gather(entries []*client.Entry) error {
	l.level++
	defer func() { l.level-- }()
	t := l.table
	if limit := t.how.sizeLimit; limit > 0 && len(entries) > limit {
		return maptypes.Retryf("%s: %s: Query size limit (%d) exceeded", l.caller(), t.name, limit)
	}
	for _, entry := range entries {
		isTerminal := t.attributes.has(entry, terminal)
		isLeaf := isTerminal || !t.attributes.has(entry, special)
		for _, attribute := range entry.Attributes {
			var err error
			switch role := t.attributes.role(attribute.Name); {
			case role == noRole, isTerminal && role != terminal, !isLeaf && role == leaf:
			case role == special:
				err = l.expand(attribute)
			default:
				err = l.add(attribute)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds values to the result.
func (l *lookup) add(attribute *client.EntryAttribute) error {
	l.result.Caller = l.caller()
	for _, value := range attribute.ByteValues {
		if value == nil {
			value = []byte{} // empty, and not missing
		}
		if err := l.result.Add(value); err != nil {
			return err
		}
	}
	return nil
}

// expand searches for the entries that values name.
func (l *lookup) expand(attribute *client.EntryAttribute) error {
	t := l.table
	for _, value := range attribute.ByteValues {
		value, _, _ := bytes.Cut(value, []byte{0})
		text := string(value)
		if t := l.result.Trace; t != nil {
			t.Step("level %d: the special attribute %s names %s", l.level, attribute.Name, maptypes.Quote(value))
		}
		if l.level >= t.how.recursionLimit {
			return maptypes.Retryf("%s: %s: Recursion limit exceeded for special attribute %s=%s", l.caller(), t.name, attribute.Name, text)
		}
		what, err := l.named(text)
		if err != nil {
			return maptypes.Retryf("%s: malformed URL %s: %w", l.caller(), text, err)
		}
		if len(what.attributes) == 0 && len(t.attributes.names) > 0 {
			continue // the URL hides all that matters
		}
		entries, err := l.find(what)
		switch {
		case err == nil:
			err = l.gather(entries)
		case isNoSuchObject(err):
			t.warnf("%s: DN %s not found, skipping", l.caller(), text)
			err = nil
		default:
			err = l.failed(err, l.caller()+": search")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named is the search for what a value names: an entry, or what a URL says. The
// server of the URL does not count.
func (l *lookup) named(text string) (search, error) {
	what := search{base: text, scope: client.ScopeBaseObject, filter: everything, attributes: l.table.attributes.names}
	if !isURL(text) {
		return what, nil
	}
	u, err := parseURL(text)
	if err != nil {
		return what, err
	}
	what.base, what.attributes = u.base, l.table.attributes.among(u.attributes)
	if u.scope >= 0 {
		what.scope = u.scope
	}
	if u.filter != "" {
		what.filter = u.filter
	}
	return what, nil
}
