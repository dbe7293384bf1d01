// Package query makes queries out of lookup keys, and results out of what a
// server answers, for the map types that have a server: the templates with
// %s %u %d %1 and so on, the list of domains that are looked up at all, and the
// limit of values (mysql_table(5), "query", "result_format", "domain";
// ldap_table(5), memcache_table(5)).
package query

import (
	"bytes"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Template is a parsed text with places for parts of a key or value.
type Template struct {
	literals []string // the text before each place, and after the last one
	places   []byte   // the letter or digit of each place
}

// Quote appends value to dst in the form that the place'th place of a template
// needs, places counted from 0.
type Quote func(dst, value []byte, place int) []byte

// Literals returns the text before each place of the template, and that after
// the last one.
func (t *Template) Literals() []string { return t.literals }

// Fixed reports whether the template has no place for anything.
func (t *Template) Fixed() bool { return len(t.places) == 0 }

// parse splits a text at its places. ok is false when there is a % that nothing
// known follows.
func parse(text string) (t *Template, ok bool) {
	t = &Template{}
	var literal strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			literal.WriteByte(text[i])
			continue
		}
		if i++; i == len(text) {
			return nil, false
		}
		switch c := text[i]; {
		case c == '%':
			literal.WriteByte('%')
		case strings.IndexByte("sudSUD123456789", c) >= 0:
			t.literals = append(t.literals, literal.String())
			t.places = append(t.places, c)
			literal.Reset()
		default:
			return nil, false
		}
	}
	t.literals = append(t.literals, literal.String())
	return t, true
}

// Append appends the template with the parts of value and key in its places.
// Both have passed the Rules that the template belongs to; for a query, value
// is the key. Without a quote function parts are copied as they are.
func (t *Template) Append(dst []byte, value, key *Parts, quote Quote) []byte {
	for i, place := range t.places {
		dst = append(dst, t.literals[i]...)
		part := pick(place, value, key)
		if quote == nil {
			dst = append(dst, part...)
		} else {
			dst = quote(dst, part, i)
		}
	}
	return append(dst, t.literals[len(t.places)]...)
}

func pick(place byte, value, key *Parts) []byte {
	switch place {
	case 's':
		return value.text
	case 'u':
		return value.user
	case 'd':
		return value.domain
	case 'S':
		return key.text
	case 'U':
		return key.user
	case 'D':
		return key.domain
	}
	return key.labels[len(key.labels)-int(place-'0')]
}

// Parts are a key or value and what places stand for.
type Parts struct {
	text   []byte
	user   []byte   // before the last @, or all when there is none
	domain []byte   // after the last @; empty when there is none
	labels [][]byte // of the domain, without empty ones
}

// split takes a text apart.
func (p *Parts) split(text []byte) (hasDomain bool) {
	p.text, p.user, p.domain, p.labels = text, text, nil, p.labels[:0]
	at := bytes.LastIndexByte(text, '@')
	if at < 0 {
		return false
	}
	p.user, p.domain = text[:at], text[at+1:]
	return true
}

// Rules are what the templates of one table need of a key and of a value: one
// that lacks a part is not looked up, or left out.
type Rules struct {
	key, value struct{ user, domain bool }
	labels     int // of the key's domain
}

// AddQuery parses a template that is made of a key. The name is that of the
// table, for the error.
func (r *Rules) AddQuery(name, text string) (*Template, error) {
	return r.add(name, "query", text)
}

// AddResult parses a template that is made of a value, and of the key in the
// places with upper case letters and digits. The name is that of the table.
func (r *Rules) AddResult(name, text string) (*Template, error) {
	return r.add(name, "result", text)
}

func (r *Rules) add(name, kind, text string) (*Template, error) {
	t, ok := parse(text)
	if !ok {
		return nil, maptypes.Configf("db_common_parse: %s: Invalid %s template: %s", name, kind, text)
	}
	needs := &r.value
	if kind == "query" {
		needs = &r.key
	}
	for _, place := range t.places {
		switch place {
		case 'u':
			needs.user = true
		case 'd':
			needs.domain = true
		case 'U':
			r.key.user = true
		case 'D':
			r.key.domain = true
		case 's', 'S':
		default:
			r.key.domain = true
			r.labels = max(r.labels, int(place-'0'))
		}
	}
	return t, nil
}

// Key takes a key apart and reports whether it has all that the templates need.
func (r *Rules) Key(p *Parts, key []byte) bool {
	hasDomain := p.split(key)
	if r.key.domain && len(p.domain) == 0 || r.key.user && hasDomain && len(p.user) == 0 {
		return false
	}
	if r.labels > 0 {
		for label := range bytes.SplitSeq(p.domain, []byte{'.'}) {
			if len(label) > 0 {
				p.labels = append(p.labels, label)
			}
		}
	}
	return len(p.labels) >= r.labels
}

// Value takes a value apart and reports whether it has all that the templates
// need.
func (r *Rules) Value(p *Parts, value []byte) bool {
	hasDomain := p.split(value)
	return !(r.value.domain && len(p.domain) == 0 || r.value.user && hasDomain && len(p.user) == 0)
}
