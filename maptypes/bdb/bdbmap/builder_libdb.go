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

// builder makes a file aside. The library gets the entries when all are there.
type builder struct {
	env     *maptypes.Env
	kind    bdb.Kind
	path    string
	flags   maptypes.Flags
	aside   *indexed.Aside
	entries *indexed.Sorted
	bytes   int64     // of the keys and values
	db      *libdb.DB // nil before
}

var _ maptypes.Finisher = (*builder)(nil)

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
	return &builder{
		env: env, kind: kind, path: name + suffix,
		flags:   indexed.DecideNull(flags, 0, true),
		aside:   aside,
		entries: indexed.NewSorted(aside, flags),
	}, nil
}

// Add implements maptypes.Builder.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	key, value := indexed.Stored(indexed.BuildFlags(r, b.flags), r.Key, r.Value)
	exists, err := b.entries.Put(key, value)
	switch {
	case err != nil:
		return b.failed(err)
	case exists:
		return indexed.Duplicate(b.env, b.path, b.flags, r.Key)
	}
	b.bytes += int64(len(key) + len(value))
	return nil
}

// Finish implements maptypes.Finisher.
func (b *builder) Finish(ctx context.Context) error {
	if err := b.fill(ctx); err != nil {
		return err
	}
	if err := b.db.Sync(); err != nil {
		return fmt.Errorf("flush database %s: %w", b.path, maptypes.SystemError(err))
	}
	return nil
}

// fill makes the file. That of a small table is the one that Postfix makes.
func (b *builder) fill(ctx context.Context) error {
	cache := size(b.env, "berkeley_db_create_buffer_size", 16<<20)
	if b.bytes < int64(cache)/smallShare {
		if err := b.create(cache, libdb.DefaultLayout); err != nil {
			return err
		}
		return b.failed(b.entries.All(ctx, b.put))
	}
	layout, order := plan(b.kind, b.entries.Len(), b.bytes)
	if err := b.create(cache, layout); err != nil {
		return err
	}
	return b.failed(b.entries.Each(ctx, order, b.put))
}

// create creates the file.
func (b *builder) create(cache int, layout libdb.Layout) (err error) {
	b.db, err = libdb.Create(b.aside.TempPath(), b.kind, cache, layout)
	if err == nil && !b.aside.InPlace() {
		err = errReplaced
	}
	if err != nil {
		return indexed.OpenError(b.aside.TempPath(), err)
	}
	return nil
}

func (b *builder) put(key, value []byte) error {
	_, err := b.db.Put(key, value, true)
	return err
}

func (b *builder) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("error writing %s: %w", b.path, maptypes.SystemError(err))
}

// Commit implements maptypes.Builder.
func (b *builder) Commit() error {
	b.close()
	return b.aside.Commit()
}

// Abort implements maptypes.Builder.
func (b *builder) Abort() {
	b.close()
	b.aside.Abort()
}

func (b *builder) close() {
	b.entries.Close()
	if b.db != nil {
		b.db.Close()
		b.db = nil
	}
}
