// Package ldap is the map type ldap: (ldap_table(5)): entries of directory
// servers.
//
// Connections are shared by all tables of the process that use the same server,
// identity and TLS settings. One lookup, with all the searches that it takes, has
// one connection.
package ldap

import (
	"context"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "ldap"

// Driver is the map type ldap:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*conn]

// table is one open table.
type table struct {
	name       string // of the settings, for log lines
	search     *query.Search
	how        how
	attributes attributes
	access     *access
	hosts      *backend.Hosts[*conn]
	warnf      func(format string, args ...any)
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
	t := &table{name: name, warnf: env.Warnf}
	files, err := t.configure(env, cf)
	if err != nil {
		return &maptypes.Opened{Watch: files}, err
	}
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: files,
	}, nil
}

// configure reads all settings, and returns the files that they came from, or
// are missing in.
func (t *table) configure(env *maptypes.Env, cf *tablecf.Settings) (files []string, err error) {
	limits := readLimits(cf)
	access, err := readAccess(env, t.name, cf)
	files = append(cf.Watch(), access.files...)
	if err != nil {
		return files, err
	}
	t.access = access
	t.attributes = readAttributes(cf)
	if t.search, err = query.OpenSearch(env, Type, t.name, cf); err != nil {
		return files, err
	}
	files = append(files, t.search.Files()...)
	t.how = readHow(env, t.name, cf, t.search.Limit())
	if err := cf.Err(); err != nil {
		t.search.Close()
		return files, err
	}
	cf.WarnUnused()
	log := backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf}
	t.hosts = servers.Join(Type+":"+t.name, access.servers(), limits, log)
	t.hosts.InOrder = true
	return files, nil
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) (value []byte, err error) {
	if !utf8.Valid(r.Key) { // the protocol has UTF-8 only
		if r.Trace != nil {
			r.Trace.Result("not found, without asking", "the key is not UTF-8")
		}
		return nil, maptypes.ErrNotFound
	}
	var key query.Parts
	if err := t.search.Key(ctx, &key, r.Key); err != nil {
		return nil, maptypes.Class(err) // the list of domains has logged the reason
	}
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		l := &lookup{ctx: ctx, table: t, conn: c, result: t.search.NewResult(&key, r.Buf)}
		l.result.Trace = r.Trace
		err := c.during(ctx, func() error { return l.run(&key) })
		value = l.result.Text
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

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.search.Close()
	return nil
}
