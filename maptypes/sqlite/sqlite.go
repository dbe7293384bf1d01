// Package sqlite is the map type sqlite: (sqlite_table(5)): tables in SQLite
// database files.
//
// SQLite's own interface is used below database/sql, because that makes times
// and booleans of some values, and Postfix wants the text. The library is SQLite
// translated to Go, so that a build without a C compiler has it too.
package sqlite

import (
	"context"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "sqlite"

// Driver is the map type sqlite:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// databases are those that the open tables of this process use. A file takes the
// place of a server.
var databases = backend.Shared[*conn]{Local: true}

// table is one open table.
type table struct {
	name  string // as in "sqlite:name"
	sql   *query.SQL
	quote query.Quote
	hosts *backend.Hosts[*conn]
}

var _ maptypes.Table = (*table)(nil)

// open reads the settings of a table and looks whether its database can be
// opened.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s map requires O_RDONLY access mode", Type, name)
	}
	cf, err := tablecf.Load(env, name)
	if err != nil {
		return nil, err
	}
	path, limits := cf.Required("dbpath", ""), backend.ReadLimits(cf)
	t := &table{name: name}
	if t.sql, err = query.OpenSQL(env, Type, name, cf); err != nil {
		return nil, err
	}
	if err := cf.Err(); err != nil {
		t.sql.Close()
		return nil, err
	}
	cf.WarnUnused()
	warnUnquoted(env, name, t.sql.Text)
	t.quote = quoter(t.sql.Query.Literals())
	files := append(cf.Watch(), t.sql.Files()...)
	if err := probe(path); err != nil {
		t.sql.Close()
		return &maptypes.Opened{Watch: append(files, path)},
			maptypes.Retryf("%s:%s: open database %s: %w", Type, name, path, err)
	}
	t.hosts = databases.Join(Type+":"+name, []backend.Server[*conn]{{
		Key:  path,
		Name: path,
		Dial: func(context.Context) (*conn, error) { return dial(path) },
	}}, limits, backend.Log{Name: Type, Noun: "database", Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{Table: t, Flags: flags | maptypes.FlagFixed, Fold: maptypes.FlagFoldFix, Watch: files}, nil
}

// probe reports why a database cannot be opened.
func probe(path string) error {
	c, err := dial(path)
	if err != nil {
		return err
	}
	return c.Close()
}

// Lookup performs the query. Text that is not UTF-8 is not in a database.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) (value []byte, err error) {
	if !utf8.Valid(r.Key) {
		if r.Trace != nil {
			r.Trace.Result("not found, without asking", "the key is not UTF-8")
		}
		return nil, maptypes.ErrNotFound
	}
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
	statement := string(t.sql.Query.Append(nil, key, key, t.quote))
	result := t.sql.NewResult(key, buf)
	if result.Trace = maptypes.TraceOf(ctx); result.Trace != nil {
		result.Trace.Begin("", "query: %s", maptypes.Printable([]byte(statement)))
		defer func() { result.Trace.End(query.Rows(result, err)) }()
	}
	err = c.query(ctx, statement, result.Add)
	if failed, ok := err.(*failure); ok {
		if failed.step == "prepare" {
			return nil, maptypes.Retryf("dict_sqlite_lookup: %s: SQL prepare failed: %w", t.name, failed)
		}
		return nil, maptypes.Retryf("dict_sqlite_lookup: %s: SQL step failed for query '%s': %w", t.name, statement, failed)
	}
	return result.Text, err
}

// Close leaves the database to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.sql.Close()
	return nil
}
