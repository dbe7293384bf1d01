package ldap

import (
	"errors"
	"fmt"

	client "github.com/go-ldap/ldap/v3"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Limits of chase_referrals. The first is that of OpenLDAP's library.
const (
	maxHops      = 5  // referrals that lead to each other
	maxReferrals = 50 // in one lookup
)

// follow performs a search, and has other servers complete the answer when the
// server refers to them. An answer without a part that could not be had is none.
func (l *lookup) follow(c *conn, what search, hops int) ([]*client.Entry, error) {
	found, err := c.search(what, l.table.how)
	if elsewhere := referrals(err); len(elsewhere) > 0 {
		return l.chase(elsewhere, what, hops+1)
	}
	if err != nil {
		return nil, err
	}
	entries := found.Entries
	if what.scope == client.ScopeSingleLevel {
		what.scope = client.ScopeBaseObject // the next level is elsewhere
	}
	for _, reference := range found.Referrals {
		more, err := l.chase([]string{reference}, what, hops+1)
		if err != nil && !isNoSuchObject(err) {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

// referrals returns the URLs of an answer that says that others have the answer
// (RFC 4511, section 4.1.10).
func referrals(err error) (urls []string) {
	var answer *resultError
	if !errors.As(err, &answer) || answer.code != client.LDAPResultReferral || answer.err.Packet == nil {
		return nil
	}
	const tag = 3
	for _, part := range answer.err.Packet.Children[1].Children[3:] {
		if part.Tag != tag {
			continue
		}
		for _, u := range part.Children {
			if text, ok := u.Value.(string); ok {
				urls = append(urls, text)
			}
		}
	}
	return urls
}

// chase asks the first server that can be asked of several with the same content.
func (l *lookup) chase(urls []string, what search, hops int) (entries []*client.Entry, err error) {
	for _, text := range urls {
		if t := l.result.Trace; t != nil {
			t.Step("the server refers to %s", maptypes.Quote([]byte(text)))
		}
		if l.referrals++; hops > maxHops || l.referrals > maxReferrals {
			return nil, maptypes.Retryf("%s: too many referrals, the last one to %s", l.table.name, text)
		}
		entries, err = l.refer(text, what, hops)
		if err == nil || isNoSuchObject(err) {
			return entries, err
		}
		err = maptypes.Retryf("%s: referral to %s: %w", l.table.name, text, err)
	}
	return nil, err
}

// refer asks the server of a URL. It is not told who is asking: the name and the
// password are not for everybody that a server refers to.
func (l *lookup) refer(text string, what search, hops int) (entries []*client.Entry, err error) {
	u, err := parseURL(text)
	if err == nil && u.scheme == schemeUnix {
		err = errors.New("a socket of this machine")
	}
	if err != nil {
		return nil, fmt.Errorf("bad URL: %w", err)
	}
	if u.base != "" {
		what.base = u.base
	}
	if u.scope >= 0 {
		what.scope = u.scope
	}
	if u.filter != "" {
		if what.filter, err = canonicalFilter(u.filter); err != nil {
			return nil, err
		}
	}
	c, err := l.table.access.dial(l.ctx, u, identity{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	err = c.during(l.ctx, func() (err error) {
		// All servers together have the room that one has.
		c.raw.left.Store(l.conn.raw.left.Load())
		entries, err = l.follow(c, what, hops)
		l.conn.raw.left.Store(c.raw.left.Load())
		return err
	})
	return entries, err
}
