//go:build cgo

package lmdb

import (
	"context"
	"fmt"
	"math"

	"github.com/PowerDNS/lmdb-go/lmdb"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// maxBatch is the size in bytes of the entries that one transaction stores.
const maxBatch = 4 << 20

// builder makes a file aside. The entries are stored when all are there, in the
// order of the keys: each transaction then changes few pages, and no page twice.
// None is durable before the last. (They are bound to no thread, because the
// library takes no locks.)
type builder struct {
	mapenv  *maptypes.Env
	label   string
	flags   maptypes.Flags
	aside   *indexed.Aside
	entries *indexed.Sorted
	env     *lmdb.Env
	limit   int64

	txn   *lmdb.Txn // nil between transactions
	dbi   lmdb.DBI
	batch []stored // what the transaction stores, to do it again
	bytes []byte   // the keys and values
}

// stored is the sizes of key and value of an entry.
type stored struct{ key, value int }

var _ maptypes.Finisher = (*builder)(nil)

// create begins a file that replaces name.lmdb.
func create(env *maptypes.Env, name string, flags maptypes.Flags) (maptypes.Builder, error) {
	if !sameMachine {
		return nil, errMachine
	}
	aside, err := indexed.OpenAside(name+suffix, indexed.LockFcntl)
	if err != nil {
		return nil, err
	}
	// Postfix writes in place.
	if err := aside.KeepOwner(); err != nil {
		aside.Abort()
		return nil, err
	}
	b := &builder{
		mapenv:  env,
		label:   Type + ":" + name,
		flags:   indexed.DecideNull(flags, 0, true),
		aside:   aside,
		entries: indexed.NewSorted(aside, flags),
		limit:   mapSize(env),
	}
	if b.env, err = openEnv(aside.TempPath(), b.limit, lmdb.NoSync); err == nil && !aside.InPlace() {
		err = maptypes.Retryf("the file was replaced a moment ago")
	}
	if err != nil {
		b.Abort()
		return nil, indexed.OpenError(aside.TempPath(), err)
	}
	return b, nil
}

// Add implements maptypes.Builder.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	key, value := indexed.Stored(indexed.BuildFlags(r, b.flags), r.Key, r.Value)
	if len(key) == 0 || len(key) > maxKey || len(value) > math.MaxInt32 {
		return fmt.Errorf("error updating %s: %w", b.label, badSize)
	}
	exists, err := b.entries.Put(key, value)
	switch {
	case err != nil:
		return b.failed(err)
	case exists:
		return indexed.Duplicate(b.mapenv, b.label, b.flags, r.Key)
	}
	return nil
}

// Finish implements maptypes.Finisher.
func (b *builder) Finish(ctx context.Context) error {
	err := b.entries.Each(ctx, spool.ByBytes, b.put)
	if err == nil {
		err = b.flush()
	}
	b.entries.Close()
	if err != nil {
		return b.failed(err)
	}
	return b.aside.Sync()
}

// put stores the entry that follows all others in the order of the keys.
func (b *builder) put(key, value []byte) error {
	err := b.begin()
	if err == nil {
		err = b.txn.Put(b.dbi, key, value, lmdb.Append)
	}
	for lmdb.IsMapFull(err) {
		if err = b.repeat(err); err == nil {
			err = b.txn.Put(b.dbi, key, value, lmdb.Append)
		}
	}
	if err != nil {
		return err
	}
	b.batch = append(b.batch, stored{len(key), len(value)})
	b.bytes = append(append(b.bytes, key...), value...)
	if len(b.bytes) >= maxBatch {
		return b.flush()
	}
	return nil
}

// failed says what has failed.
func (b *builder) failed(err error) error {
	return fmt.Errorf("error updating %s: %w", b.label, plain(err))
}

// begin makes sure that there is a transaction.
func (b *builder) begin() (err error) {
	if b.txn != nil {
		return nil
	}
	if b.txn, err = b.env.BeginTxn(nil, 0); err != nil {
		return err
	}
	b.dbi, err = b.txn.OpenRoot(0)
	return err
}

// abort gives up the transaction.
func (b *builder) abort() {
	if b.txn != nil {
		b.txn.Abort()
		b.txn = nil
	}
}

// repeat raises the size limit, which the transaction has reached, and stores the
// entries again.
func (b *builder) repeat(full error) error {
	b.abort()
	if _, err := resize(b.env, &b.limit, full); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	rest := b.bytes
	for _, e := range b.batch {
		if err := b.txn.Put(b.dbi, rest[:e.key], rest[e.key:e.key+e.value], lmdb.Append); err != nil {
			return err
		}
		rest = rest[e.key+e.value:]
	}
	return nil
}

// flush commits the transaction.
func (b *builder) flush() error {
	if b.txn == nil {
		return nil
	}
	err := b.txn.Commit()
	b.txn = nil
	for lmdb.IsMapFull(err) {
		if err = b.repeat(err); err == nil {
			err = b.txn.Commit()
			b.txn = nil
		}
	}
	b.batch, b.bytes = b.batch[:0], b.bytes[:0]
	return err
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

// close closes the library's side of the file, and the files of the entries.
func (b *builder) close() {
	b.entries.Close()
	if b.env == nil {
		return
	}
	b.abort()
	b.env.Close()
	b.env = nil
}
