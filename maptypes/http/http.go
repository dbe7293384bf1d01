// Package http is the map type http:, which Postfix does not have: tables behind
// web servers. A lookup is a GET request whose URL has the key in it; the value
// is a field of a JSON answer, or the whole answer.
//
// Connections are shared by all tables of the process that use the same server.
package http

import (
	"bytes"
	"context"
	"math"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "http"

// Driver is the map type http:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*conn]

// table is one open table.
type table struct {
	name     string // "http:name", for log lines
	target   target
	source   *query.Source
	path     *query.Template
	headers  []byte // what follows the path in a request
	field    field  // nil: the whole answer is the value
	maxBody  int64
	notFound map[int]bool
	hosts    *backend.Hosts[*conn]
}

var _ maptypes.Table = (*table)(nil)

// open reads the settings of a table. Servers are not asked yet: one that is
// down shows at the first lookup.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s map requires O_RDONLY access mode", Type, name)
	}
	cf, err := tablecf.Load(env, name)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(cf)
	files := append(append(cf.Watch(), s.files...), s.tls.Files...)
	if err != nil {
		return &maptypes.Opened{Watch: files}, err
	}
	if flags&maptypes.FlagNoUnauth != 0 && !s.authentic() {
		return nil, maptypes.Configf("%s:%s map is not allowed for security-sensitive data without https or UNIX socket", Type, name)
	}
	t := &table{
		name: Type + ":" + name, target: s.target, headers: s.headers, field: parseField(cf.String("field", "")),
		maxBody: int64(s.maxBody), notFound: s.notFound,
	}
	limit := cf.Int("expansion_limit", 0, math.MinInt)
	var templates []*query.Template
	if t.source, templates, err = query.OpenSource(env, Type, name, cf, limit, s.target.path); err != nil {
		return nil, err
	}
	t.path = templates[0]
	cf.WarnUnused()
	t.hosts = servers.Join(t.name, s.servers(), s.limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: append(files, t.source.Files()...),
	}, nil
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	var key query.Parts
	if err := t.source.Key(ctx, &key, r.Key); err != nil {
		return nil, err
	}
	uri := t.path.Append(nil, &key, &key, escape)
	if climbs(uri) {
		return nil, maptypes.Configf("%s: the key \"%s\" cannot be part of a url", t.name, r.Key)
	}
	request := append(append([]byte("GET "), uri...), t.headers...)
	var a answer
	err := t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		var err error
		if r.Trace != nil {
			r.Trace.Begin("", "request: GET %s", t.shownURL(uri))
			defer func() { r.Trace.End(explain(&a, err)) }()
		}
		if a, err = c.get(ctx, request, t.maxBody); err == errTooLarge {
			return maptypes.Retryf("%s: query failed: %w", t.name, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	result := t.source.NewResult(&key, r.Buf)
	result.Trace = r.Trace
	if err := t.take(&a, result); err != nil {
		return nil, err
	}
	if r.Buf = result.Text; len(result.Text) == 0 {
		return nil, maptypes.ErrNotFound
	}
	return result.Text, nil
}

// take adds what an answer says to the result.
func (t *table) take(a *answer, result *query.Result) error {
	switch {
	case t.notFound[a.status]:
		return maptypes.ErrNotFound
	case a.status == 200 && a.encoding != "" && a.encoding != "identity":
		return maptypes.Configf("%s: query failed: the answer is compressed, though that was not asked for", t.name)
	case a.status == 200:
		return t.values(a.body, result)
	case isTemporary(a.status):
		return maptypes.Retryf("%s: query failed: status %d", t.name, a.status)
	case a.status >= 300 && a.status < 400:
		return maptypes.Configf("%s: query failed: status %d (redirections are not followed)", t.name, a.status)
	}
	return maptypes.Configf("%s: query failed: status %d", t.name, a.status)
}

// isTemporary reports whether a status says that the server may answer later
// (RFC 9110, RFC 8470, RFC 6585).
func isTemporary(status int) bool {
	const timeout, tooEarly, tooMany = 408, 425, 429
	return status >= 500 || status == timeout || status == tooEarly || status == tooMany
}

// values adds the values in a body.
func (t *table) values(body []byte, result *query.Result) error {
	if t.field == nil {
		body = bytes.TrimRight(body, "\r\n")
		if bytes.ContainsAny(body, "\r\n") {
			return maptypes.Retryf("%s: query failed: the answer has more than one line", t.name)
		}
		return result.Add(body)
	}
	values, err := t.field.values(body)
	if err != nil {
		return maptypes.Retryf("%s: query failed: %w", t.name, err)
	}
	for _, value := range values {
		if err := result.Add([]byte(value)); err != nil {
			return err
		}
	}
	return nil
}

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.source.Close()
	return nil
}
