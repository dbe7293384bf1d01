// Package memcache is the map type memcache: (memcache_table(5)): a table in a
// memcached server, in front of another table, the backup, if there is one.
//
// The server forgets what it has no room for: without a backup, an entry that was
// stored may be gone the next moment.
package memcache

import (
	"context"
	"slices"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// Type is the name of the map type.
const Type = "memcache"

// Driver is the map type memcache:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// table is one open table.
type table struct {
	name     string // of the file, for log lines
	keys     *keys
	client   *client
	backup   *backup // or nil
	readOnly bool
	warnf    func(format string, args ...any)
}

var (
	_ maptypes.Updater   = (*table)(nil)
	_ maptypes.Sequencer = (*table)(nil)
)

// open reads the settings of a table and opens its backup. The server is not asked
// yet: one that is down shows at the first request.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if flags&maptypes.FlagNoUnauth != 0 {
		return nil, maptypes.Configf("%s:%s map is not allowed for security-sensitive data", Type, name)
	}
	cf, err := tablecf.Load(env, name)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, readOnly: !mode.Writable(), warnf: env.Warnf}
	if err := t.configure(env, cf, mode, flags); err != nil {
		t.Close()
		return nil, err
	}
	cf.WarnUnused()
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed | maptypes.FlagMultiWriter,
		Fold:  maptypes.FlagFoldFix,
		Watch: slices.Concat(cf.Watch(), t.keys.files()),
	}, nil
}

// configure reads the parameters.
func (t *table) configure(env *maptypes.Env, cf *tablecf.Settings, mode maptypes.Mode, flags maptypes.Flags) (err error) {
	if t.client, err = newClient(env, t.name, cf); err != nil {
		return err
	}
	if t.keys, err = newKeys(env, t.name, cf); err != nil {
		return err
	}
	spec := cf.String("backup", "")
	if err := cf.Err(); err != nil || spec == "" {
		return err
	}
	t.backup, err = openBackup(env, spec, mode, flags)
	return err
}

// Lookup asks the server, and then the backup, with whose answer the server is
// updated.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	key, skip, err := t.keys.make(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	if skip != "" {
		if r.Trace != nil {
			r.Trace.Result("not found, without asking", "%s", skip)
		}
		return nil, maptypes.ErrNotFound
	}
	value, err := t.client.get(ctx, key, r.Buf)
	if err == nil {
		r.Buf = value
		return value, nil
	}
	if t.backup == nil {
		return nil, err
	}
	known := err == maptypes.ErrNotFound
	if r.Trace != nil {
		r.Trace.Result(maptypes.Outcome(nil, err), "memcache has no answer; the backup is asked")
	}
	if !known {
		t.report(err)
	}
	if value, err = t.backup.lookup(ctx, r); err != nil {
		return nil, err
	}
	if known {
		if r.Trace != nil {
			r.Trace.Step("the backup's answer is stored in memcache")
		}
		t.refresh(ctx, key, value)
	}
	return value, nil
}

// refresh stores what the backup knew, unless it cannot be stored.
func (t *table) refresh(ctx context.Context, key, value []byte) {
	if len(key) <= maxKey {
		t.report(t.client.add(ctx, key, value))
	}
}

// Update stores an entry in the server, and then in the backup, which has the last
// word.
func (t *table) Update(ctx context.Context, r *maptypes.Request) error {
	if t.readOnly {
		return t.unsupported("update")
	}
	key, skip, err := t.keys.make(ctx, r.Key)
	if err != nil {
		return err
	}
	if skip != "" {
		t.warnf("%s: skipping update for name \"%s\": %s", t.name, r.Key, skip)
		return maptypes.ErrNotFound
	}
	err = t.client.set(ctx, key, r.Value)
	if t.backup == nil {
		return err
	}
	t.report(err)
	return t.backup.update(ctx, r)
}

// Delete removes an entry from the server, and then from the backup, which has the
// last word.
func (t *table) Delete(ctx context.Context, r *maptypes.Request) error {
	if t.readOnly {
		return t.unsupported("delete")
	}
	key, skip, err := t.keys.make(ctx, r.Key)
	if err != nil {
		return err
	}
	if skip != "" {
		return maptypes.ErrNotFound
	}
	err = t.client.remove(ctx, key)
	if t.backup == nil {
		return err
	}
	t.report(err)
	return t.backup.remove(ctx, r)
}

// Sequence lists the backup.
func (t *table) Sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	if t.backup == nil {
		t.warnf("database %s:%s: first/next support requires backup database", Type, t.name)
		return nil, nil, maptypes.ErrNotFound
	}
	return t.backup.sequence(ctx, r, c)
}

func (t *table) unsupported(operation string) error {
	return maptypes.Configf("table %s:%s: %s operation is not supported", Type, t.name, operation)
}

// report logs an error that the requestor does not get to see, because the backup
// has the answer.
func (t *table) report(err error) {
	if reason := maptypes.Reason(err); reason != "" {
		t.warnf("%s", reason)
	}
}

// Close closes the backup, and leaves connections to the other tables.
func (t *table) Close() error {
	if t.client != nil {
		t.client.close()
	}
	if t.keys != nil {
		t.keys.close()
	}
	if t.backup != nil {
		return t.backup.Close()
	}
	return nil
}
