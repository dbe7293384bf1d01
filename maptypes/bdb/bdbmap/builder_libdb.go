//go:build cgo && libdb

package bdbmap

import (
	"context"
	"fmt"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/bdb/libdb"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// builder makes a file aside.
type builder struct {
	env   *maptypes.Env
	path  string
	flags maptypes.Flags
	aside *indexed.Aside
	db    *libdb.DB
}

// newBuilder begins a file that replaces name.db.
func newBuilder(env *maptypes.Env, kind bdb.Kind, name string, flags maptypes.Flags) (maptypes.Builder, error) {
	aside, err := indexed.OpenAside(name+suffix, indexed.LockFlock)
	if err != nil {
		return nil, err
	}
	if err := aside.KeepOwner(); err != nil {
		aside.Abort()
		return nil, err
	}
	b := &builder{env: env, path: name + suffix, flags: indexed.DecideNull(flags, 0, true), aside: aside}
	b.db, err = libdb.Open(aside.TempPath(), kind, true, size(env, "berkeley_db_create_buffer_size", 16<<20))
	if err == nil && !aside.InPlace() {
		err = errReplaced
	}
	if err != nil {
		b.Abort()
		return nil, indexed.OpenError(aside.TempPath(), err)
	}
	return b, nil
}

// Add implements maptypes.Builder.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	key, value := indexed.Stored(b.flags, r.Key, r.Value)
	exists, err := b.db.Put(key, value, b.flags&maptypes.FlagDupReplace != 0)
	switch {
	case err != nil:
		return fmt.Errorf("error writing %s: %w", b.path, maptypes.SystemError(err))
	case exists:
		return indexed.Duplicate(b.env, b.path, b.flags, r.Key)
	}
	return nil
}

// Commit implements maptypes.Builder.
func (b *builder) Commit() error {
	err := b.db.Sync()
	b.close()
	if err != nil {
		b.aside.Abort()
		return fmt.Errorf("flush database %s: %w", b.path, maptypes.SystemError(err))
	}
	return b.aside.Commit()
}

// Abort implements maptypes.Builder.
func (b *builder) Abort() {
	b.close()
	b.aside.Abort()
}

func (b *builder) close() {
	if b.db != nil {
		b.db.Close()
		b.db = nil
	}
}
