// Package redis is the map type redis:, which Postfix does not have: tables in
// Redis servers, single ones, with sentinels, or in clusters. An entry is a
// string, or a field of a hash. Tables can be written.
//
// Connections are shared by all tables of the process that use the same servers,
// user and database.
package redis

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "redis"

// Driver is the map type redis:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// servers are those that the open tables of this process use.
var servers backend.Shared[*conn]

// table is one open table.
type table struct {
	name     string // "redis:name", for log lines
	env      *maptypes.Env
	source   *query.Source
	key      *query.Template // the key in the server
	field    *query.Template // the field of the hash at that key; or nil
	list     listing
	ttl      time.Duration // of what is stored; 0: for ever
	replicas int           // that must have a change before it is acknowledged
	hosts    *backend.Hosts[*conn]

	mu   sync.Mutex
	last *batch // of the sequence request before
}

var (
	_ maptypes.Table     = (*table)(nil)
	_ maptypes.Updater   = (*table)(nil)
	_ maptypes.Sequencer = (*table)(nil)
)

// open reads the settings of a table. Servers are not asked yet: one that is
// down shows at the first lookup.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	silence()
	cf, err := tablecf.Load(env, name)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(cf)
	if err != nil {
		return &maptypes.Opened{Watch: append(cf.Watch(), s.tls.Files...)}, err
	}
	t := &table{name: Type + ":" + name, env: env}
	if err := t.read(cf, s, name, mode); err != nil {
		return nil, err
	}
	if err := t.check(s, mode, flags); err != nil {
		t.source.Close()
		return nil, err
	}
	cf.WarnUnused()
	t.hosts = servers.Join(t.name, s.servers(), s.limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed | maptypes.FlagMultiWriter,
		Fold:  maptypes.FlagFoldFix,
		Watch: append(append(cf.Watch(), s.tls.Files...), t.source.Files()...),
	}, nil
}

// read reads the parameters that are about entries.
func (t *table) read(cf *tablecf.Settings, s *settings, name string, mode maptypes.Mode) error {
	t.ttl = cf.Seconds("ttl", 0, 0)
	t.replicas = cf.Int("wait_replicas", 0, 0)
	key, field := cf.Required("key_format", "%s"), cf.String("field_format", "")
	queries := []string{key}
	if field != "" {
		queries = append(queries, field)
	}
	if mode.Writable() && cf.String("result_format", "%s") != "%s" {
		return maptypes.Configf("%s: a table that is written must have result_format = %%s", t.name)
	}
	var templates []*query.Template
	var err error
	if t.source, templates, err = query.OpenSource(t.env, Type, name, cf, 0, queries...); err != nil {
		return err
	}
	t.key = templates[0]
	if field != "" {
		t.field = templates[1]
	}
	t.list = newListing(key, field)
	t.list.possible = t.list.possible && (s.mode != modeSingle || len(s.addresses) == 1)
	return nil
}

// check refuses what cannot be had.
func (t *table) check(s *settings, mode maptypes.Mode, flags maptypes.Flags) error {
	switch {
	case t.ttl > 0 && t.field != nil:
		return maptypes.Configf("%s: ttl is for strings; the fields of a hash have none", t.name)
	case t.ttl > math.MaxInt32*time.Second:
		return maptypes.Configf("%s: ttl is too large", t.name)
	case t.replicas > 0 && s.mode == modeCluster:
		return maptypes.Configf("%s: wait_replicas is not possible with mode = cluster", t.name)
	case mode.Writable() && s.mode == modeSingle && len(s.addresses) > 1:
		return maptypes.Configf("%s: a table that is written has one host; for more specify mode = sentinel or mode = cluster", t.name)
	case flags&maptypes.FlagNoUnauth != 0 && !s.authentic():
		return maptypes.Configf("%s map is not allowed for security-sensitive data without password, tls or UNIX socket", t.name)
	}
	return nil
}

// place is where an entry is in the server.
type place struct{ key, field string }

// place returns where the entry of a key that source.Key has taken apart is.
func (t *table) place(key *query.Parts) place {
	p := place{key: string(t.key.Append(nil, key, key, nil))}
	if t.field != nil {
		p.field = string(t.field.Append(nil, key, key, nil))
	}
	return p
}

// Lookup asks one of the servers.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	var key query.Parts
	if err := t.source.Key(ctx, &key, r.Key); err != nil {
		return nil, err
	}
	value, err := t.fetch(ctx, t.place(&key))
	if err != nil {
		return nil, err
	}
	result := t.source.NewResult(&key, r.Buf)
	result.Trace = r.Trace
	if err := result.Add(value); err != nil {
		return nil, err
	}
	if r.Buf = result.Text; len(result.Text) == 0 {
		return nil, maptypes.ErrNotFound
	}
	return result.Text, nil
}

// fetch returns a value as it is stored.
func (t *table) fetch(ctx context.Context, p place) (value []byte, err error) {
	err = t.hosts.Do(ctx, func(ctx context.Context, c *conn) error {
		var err error
		if trace := maptypes.TraceOf(ctx); trace != nil {
			trace.Begin("", "request: %s", t.command(p))
			defer func() { trace.End(maptypes.Outcome(value, t.failed(err))) }()
		}
		value, err = run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) ([]byte, error) {
			if t.field != nil {
				return client.HGet(ctx, p.key, p.field).Bytes()
			}
			return client.Get(ctx, p.key).Bytes()
		})
		return t.failed(err)
	})
	return value, err
}

// command is what a trace shows of a request.
func (t *table) command(p place) string {
	if t.field != nil {
		return fmt.Sprintf("HGET %q %q", p.key, p.field)
	}
	return fmt.Sprintf("GET %q", p.key)
}

// failed is the error of a request that the server has answered with one.
func (t *table) failed(err error) error {
	switch {
	case err == nil || backend.IsLost(err):
		return err
	case err == goredis.Nil:
		return maptypes.ErrNotFound
	}
	return maptypes.Retryf("%s: query failed: %s", t.name, strings.TrimSpace(err.Error()))
}

// Close leaves the servers to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	t.source.Close()
	return nil
}
