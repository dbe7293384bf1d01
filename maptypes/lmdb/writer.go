//go:build cgo

package lmdb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/PowerDNS/lmdb-go/lmdb"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// envFlags are Postfix's: a file instead of a directory, and locks of our own.
const envFlags = lmdb.NoSubdir | lmdb.NoLock

// writer changes a file, one transaction for each request, under an exclusive
// lock.
type writer struct {
	path    string
	create  bool // the file if it is missing
	mapSize int64

	turn chan struct{} // holds one token while a goroutine uses what follows

	file  *os.File // for the lock; nil if nothing is open
	env   *lmdb.Env
	guard indexed.Guard
}

// newWriter opens the file at path for writing, and creates it if it is missing
// and create is set.
func newWriter(path string, create bool, mapSize int64) (indexed.Writer, error) {
	w := &writer{path: path, create: create, mapSize: mapSize, turn: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := w.locked(ctx, func() error { return nil }); err != nil {
		w.close()
		return nil, indexed.OpenError(path, err)
	}
	return w, nil
}

// openTimeout is how long opening a table waits for other writers.
const openTimeout = 30 * time.Second

// Put implements indexed.Writer.
func (w *writer) Put(ctx context.Context, key, value []byte, replace bool) (exists bool, err error) {
	if len(key) == 0 || len(key) > maxKey || int64(len(value)) > math.MaxInt32 {
		return false, badSize
	}
	flags := uint(0)
	if !replace {
		flags = lmdb.NoOverwrite
	}
	err = w.update(ctx, func(txn *lmdb.Txn, dbi lmdb.DBI) error {
		err := txn.Put(dbi, key, value, flags)
		exists = lmdb.IsErrno(err, lmdb.KeyExist)
		return err
	})
	if exists {
		return true, nil
	}
	return false, err
}

// Delete implements indexed.Writer.
func (w *writer) Delete(ctx context.Context, keys ...[]byte) (found int, err error) {
	err = w.update(ctx, func(txn *lmdb.Txn, dbi lmdb.DBI) error {
		for i, key := range keys {
			if len(key) == 0 || len(key) > maxKey {
				continue
			}
			err := txn.Del(dbi, key, nil)
			if !lmdb.IsNotFound(err) {
				found = i
				return err
			}
		}
		return maptypes.ErrNotFound
	})
	if err == maptypes.ErrNotFound {
		return -1, nil
	}
	return found, err
}

// maxKey is the size in bytes of the longest key that LMDB stores.
const maxKey = 511

// badSize has the text that LMDB has for a key of the wrong size.
var badSize = maptypes.Configf("MDB_BAD_VALSIZE: Unsupported size of key/DB name/data, or wrong DUPFIXED size")

// update runs one transaction. An error of do takes everything back.
func (w *writer) update(ctx context.Context, do func(*lmdb.Txn, lmdb.DBI) error) error {
	return w.locked(ctx, func() error {
		err := w.transaction(do)
		if err == nil {
			w.guard.Wrote()
		}
		return err
	})
}

// transaction runs do in a transaction, again if the size limit has to be raised
// for it.
func (w *writer) transaction(do func(*lmdb.Txn, lmdb.DBI) error) error {
	for {
		err := w.env.Update(func(txn *lmdb.Txn) error {
			dbi, err := txn.OpenRoot(0)
			if err != nil {
				return err
			}
			return do(txn, dbi)
		})
		again, err := resize(w.env, &w.mapSize, err)
		if !again {
			return plain(err)
		}
	}
}

// resize raises the size limit if that helps against err.
func resize(env *lmdb.Env, limit *int64, err error) (again bool, _ error) {
	switch {
	case lmdb.IsMapFull(err) && *limit <= math.MaxInt64/4:
		*limit *= 2
		if info, err := env.Info(); err == nil {
			*limit = max(*limit, 2*info.MapSize)
		}
		return true, env.SetMapSize(*limit)
	case lmdb.IsMapResized(err):
		if err := env.SetMapSize(0); err != nil {
			return false, err
		}
		if info, err := env.Info(); err == nil {
			*limit = info.MapSize
		}
		return true, nil
	default:
		return false, err
	}
}

// plain strips the name of the C function.
func plain(err error) error {
	var op *lmdb.OpError
	if errors.As(err, &op) {
		return maptypes.SystemError(op.Errno)
	}
	return err
}

// locked calls do while the file is open, sound, and locked.
func (w *writer) locked(ctx context.Context, do func() error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer func() {
		if err := indexed.UnlockFcntl(w.file); err != nil {
			w.close()
		}
	}()
	if err := w.ready(); err != nil {
		return err
	}
	return do()
}

// lock opens and locks the file that is at the path now.
func (w *writer) lock(ctx context.Context) error {
	for {
		if w.file == nil {
			f, err := w.open()
			if err != nil {
				return maptypes.SystemError(err)
			}
			w.file = f
		}
		if err := indexed.LockFcntl(ctx, w.file); err != nil {
			return fmt.Errorf("lock dictionary: %w", maptypes.SystemError(err))
		}
		if indexed.IsAt(w.file, w.path) {
			return nil
		}
		w.close()
	}
}

func (w *writer) open() (*os.File, error) {
	if w.create {
		return os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, indexed.FileMode)
	}
	return os.OpenFile(w.path, os.O_RDWR, 0)
}

// ready makes sure that the library can use the file: that it is sound, or new.
func (w *writer) ready() error {
	info, err := w.file.Stat()
	if err != nil {
		return maptypes.SystemError(err)
	}
	if info.Size() == 0 {
		if !w.create {
			return maptypes.SystemError(syscall.ENOENT)
		}
		w.closeEnv()
		if err := w.openEnv(); err != nil {
			return err
		}
		if err := w.file.Sync(); err != nil {
			return maptypes.SystemError(err)
		}
		return indexed.SyncDir(w.path)
	}
	if err := w.guard.Check(w.file, info.Size(), format{}); err != nil {
		w.closeEnv()
		return err
	}
	if w.env != nil {
		return nil
	}
	return w.openEnv()
}

// openEnv opens the file with the library.
func (w *writer) openEnv() error {
	size := w.mapSize
	if info, err := w.file.Stat(); err == nil {
		// Room for a first transaction at least.
		size = max(size, info.Size()+1<<16)
	}
	env, err := openEnv(w.path, size)
	if err != nil {
		return err
	}
	w.env = env
	if !indexed.IsAt(w.file, w.path) {
		w.closeEnv()
		return maptypes.Retryf("the file was replaced a moment ago")
	}
	return nil
}

// openEnv opens or initializes the file at path.
func openEnv(path string, size int64, more ...uint) (*lmdb.Env, error) {
	env, err := lmdb.NewEnv()
	if err != nil {
		return nil, plain(err)
	}
	flags := uint(envFlags)
	for _, flag := range more {
		flags |= flag
	}
	if err := errors.Join(env.SetMapSize(size), env.Open(path, flags, indexed.FileMode)); err != nil {
		env.Close()
		return nil, plain(err)
	}
	return env, nil
}

func (w *writer) closeEnv() {
	if w.env != nil {
		w.env.Close()
		w.env = nil
	}
}

// close gives everything back, and the lock with it.
func (w *writer) close() {
	w.closeEnv()
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	w.guard = indexed.Guard{}
}

// Close implements indexed.Writer.
func (w *writer) Close() error {
	w.close()
	return nil
}
