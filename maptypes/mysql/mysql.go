// Package mysql is the map type mysql: (mysql_table(5)): tables in MySQL and
// MariaDB servers.
//
// The lookup key is quoted into the text of the statement, as in Postfix,
// because the quotes around it are in the administrator's query. Connections are
// shared by all tables of the process that use the same server, user and
// database.
package mysql

import (
	"context"
	"errors"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "mysql"

// Driver is the map type mysql:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*conn]

// table is one open table.
type table struct {
	name             string // "mysql:name", for log lines
	sql              *query.SQL
	quotes           quotes
	hosts            *backend.Hosts[*conn]
	requireResultSet bool
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
	if err != nil {
		return nil, err
	}
	t := &table{name: Type + ":" + name, requireResultSet: cf.Bool("require_result_set", true)}
	if t.sql, err = query.OpenSQL(env, Type, name, cf); err != nil {
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
	t.hosts = servers.Join(t.name, s.servers(), s.limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: append(append(cf.Watch(), s.files...), t.sql.Files()...),
	}, nil
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) (value []byte, err error) {
	var key query.Parts
	if err := t.sql.Key(ctx, &key, r.Key); err != nil {
		return nil, err
	}
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
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
	got, err := c.query(ctx, statement, result.Add)
	if err != nil {
		return nil, t.failed(err)
	}
	if !got && t.requireResultSet {
		return nil, maptypes.Retryf("%s: query failed: query returned no result set (require_result_set = yes)", t.name)
	}
	return result.Text, nil
}

// failed is the error of a query that the server could not answer, in Postfix's
// words. It is about this key alone. Other errors are returned as they are.
func (t *table) failed(err error) error {
	var later *laterError
	switch {
	case err == errMultiple:
		return maptypes.Retryf("%s: query failed: multiple result sets returning data are not supported", t.name)
	case err == errLongStatement:
		return maptypes.Retryf("%s: query failed: %w", t.name, err)
	case backend.IsLost(err) || !isServerError(err):
		return err
	case errors.As(err, &later):
		return maptypes.Retryf("%s: query failed (mysql_next_result): %s", t.name, message(err))
	}
	return maptypes.Retryf("%s: query failed: %s", t.name, message(err))
}

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.sql.Close()
	return nil
}
