// Package pgsql is the map type pgsql: (pgsql_table(5)): tables in PostgreSQL
// servers.
//
// The lookup key is quoted into the text of the statement, as in Postfix,
// because the quotes around it are in the administrator's query. Connections are
// shared by all tables of the process that use the same server, user and
// database.
package pgsql

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "pgsql"

// Driver is the map type pgsql:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*conn]

// table is one open table.
type table struct {
	name   string // "pgsql:name", for log lines
	sql    *query.SQL
	quotes quotes
	hosts  *backend.Hosts[*conn]
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
	limits := backend.ReadLimits(cf)
	list, err := readServers(name, cf)
	if err != nil {
		return nil, err
	}
	t := &table{name: Type + ":" + name}
	if t.sql, err = query.OpenSQL(env, Type, name, cf, selectFunction); err != nil {
		return nil, err
	}
	if err := cf.Err(); err != nil {
		t.sql.Close()
		return nil, err
	}
	cf.WarnUnused()
	t.quotes = newQuotes(t.sql.Query.Literals())
	if t.quotes.missing() {
		env.Warnf("%s: a %% expansion in the query has no quotes around it: a lookup key can change the statement", name)
	}
	t.hosts = servers.Join(t.name, list, limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: append(cf.Watch(), t.sql.Files()...),
	}, nil
}

// selectFunction is the oldest form of a query.
func selectFunction(cf *tablecf.Settings) string {
	name := cf.String("select_function", "")
	if name == "" {
		return ""
	}
	return "SELECT " + name + "('%s')"
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) (value []byte, err error) {
	var key query.Parts
	if err := t.sql.Key(ctx, &key, r.Key); err != nil {
		return nil, err
	}
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		if !c.encoding().valid(r.Key) {
			if r.Trace != nil {
				r.Trace.Result("not found, without asking", "the key is not text in the connection's encoding, %s", c.encoding())
			}
			return maptypes.ErrNotFound
		}
		var err error
		value, err = t.ask(ctx, c, &key, r.Buf)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.Buf = value
	if len(value) == 0 {
		return nil, maptypes.ErrNotFound
	}
	return value, nil
}

// ask performs the query on one connection.
func (t *table) ask(ctx context.Context, c *conn, key *query.Parts, buf []byte) (value []byte, err error) {
	statement := t.sql.Query.Append(nil, key, key, t.quotes.quoter(c))
	result := t.sql.NewResult(key, buf)
	if result.Trace = maptypes.TraceOf(ctx); result.Trace != nil {
		result.Trace.Begin("", "query: %s", maptypes.Printable(statement))
		defer func() { result.Trace.End(query.Rows(result, err)) }()
	}
	values, err := c.query(ctx, string(statement))
	if refused, ok := err.(*refusal); ok {
		// This is about this key alone.
		return nil, maptypes.Retryf("%s: pgsql query failed: fatal error from host %s: %w", t.name, c.host, refused)
	}
	if err != nil {
		return nil, err
	}
	for value := range values.all() {
		if err := result.Add(value); err != nil {
			return nil, err
		}
	}
	return result.Text, nil
}

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.sql.Close()
	return nil
}
