//go:build cgo

package lmdb

import (
	"context"
	"fmt"
	"math"

	"github.com/PowerDNS/lmdb-go/lmdb"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// maxBatch is the size in bytes of the entries that one transaction stores.
const maxBatch = 4 << 20

// builder makes a file aside: transactions of many entries, none of which is
// durable before the last. (They are bound to no thread, because the library
// takes no locks.)
type builder struct {
	mapenv *maptypes.Env
	label  string
	flags  maptypes.Flags
	aside  *indexed.Aside
	env    *lmdb.Env
	limit  int64

	txn   *lmdb.Txn // nil between transactions
	dbi   lmdb.DBI
	batch []stored // what the transaction stores, to do it again
	bytes int
}

// stored is one entry as it is stored.
type stored struct{ key, value []byte }

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
		mapenv: env,
		label:  Type + ":" + name,
		flags:  indexed.DecideNull(flags, 0, true),
		aside:  aside,
		limit:  mapSize(env),
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
	key, value := indexed.Stored(b.flags, r.Key, r.Value)
	if len(key) == 0 || len(key) > maxKey || len(value) > math.MaxInt32 {
		return fmt.Errorf("error updating %s: %w", b.label, badSize)
	}
	err := b.put(stored{append([]byte(nil), key...), append([]byte(nil), value...)})
	switch {
	case lmdb.IsErrno(err, lmdb.KeyExist):
		return indexed.Duplicate(b.mapenv, b.label, b.flags, r.Key)
	case err != nil:
		return fmt.Errorf("error updating %s: %w", b.label, plain(err))
	}
	if b.bytes >= maxBatch {
		return b.flush()
	}
	return nil
}

// put stores an entry in the current transaction.
func (b *builder) put(e stored) error {
	err := b.begin()
	if err == nil {
		err = b.txn.Put(b.dbi, e.key, e.value, b.putFlags())
	}
	for lmdb.IsMapFull(err) {
		if err = b.repeat(err); err == nil {
			err = b.txn.Put(b.dbi, e.key, e.value, b.putFlags())
		}
	}
	if err == nil {
		b.batch = append(b.batch, e)
		b.bytes += len(e.key) + len(e.value)
	}
	return err
}

func (b *builder) putFlags() uint {
	if b.flags&maptypes.FlagDupReplace != 0 {
		return 0
	}
	return lmdb.NoOverwrite
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
	for _, e := range b.batch {
		if err := b.txn.Put(b.dbi, e.key, e.value, 0); err != nil {
			return err
		}
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
	if err != nil {
		return fmt.Errorf("error updating %s: %w", b.label, plain(err))
	}
	b.batch, b.bytes = b.batch[:0], 0
	return nil
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
	if b.env == nil {
		return
	}
	b.abort()
	b.env.Close()
	b.env = nil
}
