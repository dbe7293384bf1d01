package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// maxBatch is the size in bytes of the entries that one transaction stores.
const maxBatch = 4 << 20

// builder makes a file aside: transactions of many entries, none of which is
// durable before the last.
type builder struct {
	env   *maptypes.Env
	label string
	flags maptypes.Flags
	aside *indexed.Aside
	db    *bbolt.DB // nil after the end

	tx     *bbolt.Tx // nil between transactions
	bucket *bbolt.Bucket
	bytes  int // stored by the transaction
}

// create begins a file that replaces name.bolt.
func create(env *maptypes.Env, name string, flags maptypes.Flags) (maptypes.Builder, error) {
	// The library has the flock(2) lock, and gives it back too early.
	aside, err := indexed.OpenAside(name+suffix, indexed.LockFcntl)
	if err != nil {
		return nil, err
	}
	if err := aside.KeepOwner(); err != nil {
		aside.Abort()
		return nil, err
	}
	db, err := openDB(aside.File, bbolt.Options{NoSync: true, NoGrowSync: true})
	if err != nil {
		aside.Abort()
		return nil, indexed.OpenError(aside.TempPath(), err)
	}
	b := &builder{
		env:   env,
		label: Type + ":" + name,
		flags: indexed.DecideNull(flags, 0, false),
		aside: aside,
		db:    db,
	}
	if err := b.begin(); err != nil {
		b.Abort()
		return nil, err
	}
	return b, nil
}

// begin makes sure that there is a transaction.
func (b *builder) begin() (err error) {
	if b.tx != nil {
		return nil
	}
	if b.tx, err = b.db.Begin(true); err == nil {
		b.bucket, err = b.tx.CreateBucketIfNotExists(bucketKey)
	}
	return b.failed(err)
}

// failed puts the name of the table before an error.
func (b *builder) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("error updating %s: %w", b.label, err)
}

// Add implements maptypes.Builder.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	if err := b.begin(); err != nil {
		return err
	}
	key, value := indexed.Stored(indexed.BuildFlags(r, b.flags), r.Key, r.Value)
	if b.flags&maptypes.FlagDupReplace == 0 && b.bucket.Get(key) != nil {
		return indexed.Duplicate(b.env, b.label, b.flags, r.Key)
	}
	// The library keeps the slices until the transaction ends.
	key, value = append([]byte(nil), key...), append([]byte(nil), value...)
	if err := b.bucket.Put(key, value); err != nil {
		return b.failed(err)
	}
	if b.bytes += len(key) + len(value); b.bytes >= maxBatch {
		return b.flush()
	}
	return nil
}

// flush commits the transaction.
func (b *builder) flush() error {
	if b.tx == nil {
		return nil
	}
	err := b.tx.Commit()
	b.tx, b.bytes = nil, 0
	return b.failed(err)
}

// Commit implements maptypes.Builder.
func (b *builder) Commit() error {
	err := b.flush()
	b.close()
	if err != nil {
		b.aside.Abort()
		return err
	}
	return b.aside.Commit()
}

// Abort implements maptypes.Builder.
func (b *builder) Abort() {
	b.close()
	b.aside.Abort()
}

// close closes the library's side of the file.
func (b *builder) close() {
	if b.db == nil {
		return
	}
	if b.tx != nil {
		b.tx.Rollback()
		b.tx = nil
	}
	b.db.Close()
	b.db = nil
}
