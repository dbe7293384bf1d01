//go:build mongodb

package mongodb

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Driver is the map type mongodb:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*session]

// table is one open table.
type table struct {
	*settings
	name   string // "mongodb:name", for log lines
	warnf  func(format string, args ...any)
	source *query.Source
	filter *query.Template
	hosts  *backend.Hosts[*session]
}

var _ maptypes.Table = (*table)(nil)

// open reads the settings of a table. Servers are not asked yet: one that is
// down shows at the first lookup.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s: map requires O_RDONLY access mode", Type, name)
	}
	cf, err := tablecf.Load(env, name)
	if err != nil {
		return nil, err
	}
	filter := cf.Required("query_filter", "")
	t := &table{name: Type + ":" + name, warnf: env.Warnf}
	if t.settings, err = readSettings(cf, name); err != nil {
		return &maptypes.Opened{Watch: cf.Watch()}, err
	}
	var templates []*query.Template
	if t.source, templates, err = query.OpenSource(env, Type, name, cf, 0, filter); err != nil {
		return nil, err
	}
	t.filter = templates[0]
	cf.WarnUnused()
	t.hosts = servers.Join(t.name, t.servers(), t.limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags,
		Watch: append(cf.Watch(), t.source.Files()...),
	}, nil
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	var key query.Parts
	if err := t.source.Key(ctx, &key, r.Key); err != nil {
		return nil, err
	}
	text := t.filter.Append(nil, &key, &key, quote)
	var filter bson.D
	if err := bson.UnmarshalExtJSON(text, false, &filter); err != nil {
		return nil, maptypes.Retryf("%s: failed to create a query from '%s': %w", t.name, text, err)
	}
	var last []byte
	err := t.hosts.Do(ctx, func(ctx context.Context, s *session) error {
		var err error
		last, err = t.ask(ctx, s, filter, &key, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.Buf = last; len(last) == 0 {
		return nil, maptypes.ErrNotFound
	}
	return last, nil
}

// ask performs the query. As in Postfix the result is that of the last document,
// and the values of all count for the limit.
func (t *table) ask(ctx context.Context, s *session, filter bson.D, key *query.Parts, r *maptypes.Request) (value []byte, err error) {
	if r.Trace != nil {
		r.Trace.Begin("", "find in %s.%s: %v", t.dbname, t.collection, filter)
		defer func() { r.Trace.End(maptypes.Outcome(value, err)) }()
	}
	collection := s.client.Database(t.dbname).Collection(t.collection)
	cursor, err := collection.Find(ctx, filter, options.Find().SetProjection(t.projection))
	if err != nil {
		return nil, t.failed(err)
	}
	defer func() {
		if cursor.ID() != 0 { // the server keeps it, so it is told
			_ = cursor.Close(ctx)
		}
	}()
	v := &values{table: t, key: r.Key}
	last := r.Buf[:0]
	for cursor.Next(ctx) {
		v.result = t.source.NewResult(key, r.Buf)
		v.result.Trace = r.Trace
		if err := v.addAll(bson.Raw(cursor.Current).Elements()); err != nil {
			return nil, err
		}
		last = v.result.Text
	}
	if err := cursor.Err(); err != nil {
		return nil, t.failed(err)
	}
	return last, nil
}

// failed is the error of a query that the server could not answer. It is about
// this key alone.
func (t *table) failed(err error) error {
	if err = lostUnlessAnswer(err); backend.IsLost(err) {
		return err
	}
	text := err.Error()
	if command, ok := err.(mongo.CommandError); ok {
		text = command.Message
	}
	return maptypes.Retryf("%s: query failed: %s", t.name, strings.TrimSpace(text))
}

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.source.Close()
	return nil
}

const hexDigits = "0123456789ABCDEF"

// quote appends a part of a key to a JSON string (RFC 8259, 7). What is not valid
// UTF-8 is left as it is.
func quote(dst, part []byte, _ int) []byte {
	for _, c := range part {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
