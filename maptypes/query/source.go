package query

import (
	"bytes"
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Source is what the tables of all servers have in common: which keys are
// looked up at all, and what becomes of the values.
type Source struct {
	typ, name string
	rules     Rules
	queries   []*Template
	format    *Template
	domains   *Domains
	limit     int // of values per lookup; none if not positive
	warnf     func(format string, args ...any)
}

// open parses the templates of the table typ:name, and reads domain. The limit
// is that of values per lookup; none if not positive.
func (s *Source) open(env *maptypes.Env, typ, name string, cf *tablecf.Settings, limit int, format string, queries ...string) error {
	s.typ, s.name, s.warnf, s.limit = typ, name, env.Warnf, limit
	list := cf.String("domain", "")
	if err := cf.Err(); err != nil {
		return err
	}
	for _, text := range queries {
		t, err := s.rules.AddQuery(name, text)
		if err != nil {
			return err
		}
		s.queries = append(s.queries, t)
	}
	var err error
	if s.format, err = s.rules.AddResult(name, format); err == nil && list != "" {
		s.domains, err = OpenDomains(env, name, list)
	}
	return err
}

// Files returns the files that the list of domains was read from, for
// Opened.Watch.
func (s *Source) Files() []string {
	if s.domains == nil {
		return nil
	}
	return s.domains.Files()
}

// Key takes a lookup key apart. It is ErrNotFound when the key can have no
// entry: its domain is not in the list, or it lacks a part that a template
// needs.
func (s *Source) Key(ctx context.Context, p *Parts, key []byte) error {
	trace := maptypes.TraceOf(ctx)
	err := s.inDomains(ctx, key)
	if trace != nil && s.domains != nil {
		trace.Result(decision(err), "is the key in a domain of the parameter domain?")
	}
	if err != nil {
		return err
	}
	if len(key) == 0 {
		s.warnf("table \"%s:%s\": empty query string -- ignored", s.typ, s.name)
		return maptypes.ErrNotFound
	}
	if !s.rules.Key(p, key) {
		if trace != nil {
			trace.Result("not found, without asking", "the key lacks a part (user, domain, or label) that the query or result_format needs")
		}
		return maptypes.ErrNotFound
	}
	return nil
}

// decision is what a step says about the list of domains.
func decision(err error) string {
	switch {
	case err == nil:
		return "yes"
	case err == maptypes.ErrNotFound:
		return "no: not found, without asking"
	}
	return maptypes.Outcome(nil, err)
}

// inDomains asks the list of domains about a key. A list that cannot be asked
// does not mean that the key has no entry.
func (s *Source) inDomains(ctx context.Context, key []byte) error {
	if s.domains == nil {
		return nil
	}
	at := bytes.LastIndexByte(key, '@')
	if at <= 0 { // no domain, or nobody in it
		return maptypes.ErrNotFound
	}
	ok, err := s.domains.Match(ctx, key[at+1:])
	switch {
	case err == maptypes.ErrConfig:
		return maptypes.Configf("%s:%s 'domain' pattern match failed for '%s'", s.typ, s.name, key)
	case err != nil:
		return maptypes.Retryf("%s:%s 'domain' pattern match failed for '%s'", s.typ, s.name, key)
	case !ok:
		return maptypes.ErrNotFound
	}
	return nil
}

// Close closes the tables of the list of domains.
func (s *Source) Close() {
	if s.domains != nil {
		s.domains.Close()
	}
}

// maxResult is the limit, in bytes, of the values of one lookup: more cannot be
// sent to a client.
const maxResult = 2 << 20

// Result gathers the values that a server answers one lookup with.
type Result struct {
	// Text is the result so far: the values in the table's format, joined
	// by commas. It may start as an empty slice with room.
	Text []byte

	// Caller stands at the start of the message about too many values:
	// "dict_mysql_lookup".
	Caller string

	// Trace, unless it is nil, gets a step for each value.
	Trace *maptypes.Trace

	source *Source
	key    *Parts
	value  Parts
	count  int
}

// NewResult returns an empty result for a key; buf is room for its text.
func (s *Source) NewResult(key *Parts, buf []byte) *Result {
	return &Result{Text: buf[:0], Caller: "dict_" + s.typ + "_lookup", source: s, key: key}
}

// Add adds a value. Of one with a NUL byte the text before it counts. NULL is
// nil, and left out; so is a value that lacks a part that the format needs. Too
// many values are an error.
func (r *Result) Add(value []byte) error {
	if r.Trace == nil {
		return r.add(value)
	}
	if value == nil {
		r.Trace.Result("left out", "value: NULL")
		return nil
	}
	before := len(r.Text)
	err := r.add(value)
	switch {
	case err != nil:
		r.Trace.Result(maptypes.Outcome(nil, err), "value: %s", maptypes.Quote(value))
	case len(r.Text) == before:
		r.Trace.Result("left out", "value: %s", maptypes.Quote(value))
	default:
		r.Trace.Result("result so far "+maptypes.Quote(r.Text), "value: %s", maptypes.Quote(value))
	}
	return err
}

func (r *Result) add(value []byte) error {
	if value == nil {
		return nil
	}
	value, _, _ = bytes.Cut(value, []byte{0})
	if len(value) == 0 {
		r.source.warnf("table \"%s:%s\": empty lookup result for: \"%s\" -- ignored", r.source.typ, r.source.name, r.key.text)
		return nil
	}
	if !r.source.rules.Value(&r.value, value) {
		return nil
	}
	if len(r.Text) > 0 {
		r.Text = append(r.Text, ',')
	}
	r.Text = r.source.format.Append(r.Text, &r.value, r.key, nil)
	if r.count++; r.source.limit > 0 && r.count > r.source.limit {
		return maptypes.Retryf("%s: %s: Expansion limit exceeded for key: '%s'", r.Caller, r.source.name, r.key.text)
	}
	if len(r.Text) > maxResult {
		return maptypes.Retryf("%s:%s: result of more than %d bytes for key: '%s'", r.source.typ, r.source.name, maxResult, r.key.text)
	}
	return nil
}
