//go:build cgo && libdb

package bdbmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/bdb/libdb"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// CanWrite says whether this build creates and changes files of Berkeley DB.
const CanWrite = true

// writer changes a file under an exclusive lock. The library's handle is opened
// for each change and closed after it: its cache would go stale when another
// program changes the file, and a failure would stay with it.
//
// Changes that need not be durable (postmap -i and -d, without FlagSyncUpdate)
// keep handle and lock until the next that must be, a lookup, or the end.
type writer struct {
	env    *maptypes.Env
	path   string
	kind   bdb.Kind
	create bool // the file if it is missing
	cache  int  // in bytes

	turn chan struct{} // holds one token while a goroutine uses what follows

	file  *os.File  // with the lock; nil between changes
	db    *libdb.DB // likewise
	guard guard

	unsynced atomic.Bool // handle and lock are kept between changes
}

// newWriter prepares changes of the file at path, and creates it if it is missing
// and create is set.
func newWriter(env *maptypes.Env, path string, kind bdb.Kind, create bool) (*writer, error) {
	w := &writer{
		env: env, path: path, kind: kind, create: create,
		cache: size(env, "berkeley_db_read_buffer_size", 128<<10),
		turn:  make(chan struct{}, 1),
	}
	err := w.change(context.Background(), true, func(*libdb.DB) error { return nil })
	if err != nil {
		return nil, indexed.OpenError(path, err)
	}
	return w, nil
}

// put stores a value, durably if sync is set. Without replace it leaves a key
// that is there as it is, and says so.
func (w *writer) put(ctx context.Context, key, value []byte, replace, sync bool) (exists bool, err error) {
	err = w.change(ctx, sync, func(db *libdb.DB) (err error) {
		exists, err = db.Put(key, value, replace)
		return err
	})
	return exists, err
}

// remove deletes the first of the keys that is there, durably if sync is set,
// and returns which one that was, or -1.
func (w *writer) remove(ctx context.Context, keys [][]byte, sync bool) (found int, err error) {
	found = -1
	err = w.change(ctx, sync, func(db *libdb.DB) error {
		for i, key := range keys {
			there, err := db.Delete(key)
			if there || err != nil {
				found = i
				return err
			}
		}
		return nil
	})
	return found, err
}

// change calls do with the open file.
func (w *writer) change(ctx context.Context, sync bool, do func(*libdb.DB) error) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	if w.db == nil {
		if err := w.begin(ctx); err != nil {
			w.abandon()
			return err
		}
	}
	if err := do(w.db); err != nil {
		w.abandon()
		return err
	}
	if !sync {
		w.unsynced.Store(true)
		return nil
	}
	return w.finish()
}

// flush makes changes durable that were not yet, and gives the lock back.
func (w *writer) flush() error {
	if !w.unsynced.Load() {
		return nil
	}
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if w.db == nil {
		return nil
	}
	return w.finish()
}

func (w *writer) close() error { return w.flush() }

// begin locks the file that is at the path now, and opens it with the library.
func (w *writer) begin(ctx context.Context) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	if err := w.guard.check(w.file, w.kind); err != nil {
		return err
	}
	db, err := libdb.Open(w.path, w.kind, w.cache)
	if err != nil {
		return err
	}
	w.db = db
	if !indexed.IsAt(w.file, w.path) {
		return errReplaced
	}
	return nil
}

var errReplaced = maptypes.Retryf("the file was replaced a moment ago")

// lock opens and locks the file, and makes an empty table if there is none.
func (w *writer) lock(ctx context.Context) error {
	for {
		f, err := os.OpenFile(w.path, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) && w.create {
			if err := w.makeFile(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		w.file = f
		if err := indexed.LockFlock(ctx, f); err != nil {
			return fmt.Errorf("lock dictionary: %w", maptypes.SystemError(err))
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		empty := info.Size() == 0 && w.create
		if indexed.IsAt(f, w.path) && !empty {
			return nil
		}
		if empty && indexed.IsAt(f, w.path) {
			w.env.Warnf("removing zero-length database file: %s", w.path)
			if err := os.Remove(w.path); err != nil {
				return err
			}
		}
		w.unlock()
	}
}

// makeFile makes an empty table. Others see it when it is complete.
func (w *writer) makeFile() error {
	aside, err := indexed.OpenAside(w.path, indexed.LockFlock)
	if err != nil {
		return err
	}
	defer aside.Abort()
	if _, err := os.Stat(w.path); !errors.Is(err, os.ErrNotExist) {
		return err // somebody was faster
	}
	db, err := libdb.Create(aside.TempPath(), w.kind, w.cache, libdb.DefaultLayout)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return err
	}
	return aside.Commit()
}

// finish makes all changes durable, and gives the lock back.
func (w *writer) finish() error {
	if err := w.db.Sync(); err != nil {
		w.abandon()
		return fmt.Errorf("flush dictionary: %w", maptypes.SystemError(err))
	}
	err := w.db.Close()
	w.db = nil
	w.guard.wrote(w.file)
	w.unlock()
	return err
}

// abandon closes everything as it is. The file may need a check.
func (w *writer) abandon() {
	if w.db != nil {
		w.db.Close()
		w.db = nil
	}
	w.guard = guard{}
	w.unlock()
}

// unlock closes the file, and gives the lock back with it.
func (w *writer) unlock() {
	w.unsynced.Store(false)
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// size returns a parameter that is a number of bytes.
func size(env *maptypes.Env, name string, otherwise int) int {
	if n, err := strconv.ParseInt(param(env, name, ""), 10, 32); err == nil && n > 0 {
		return int(n)
	}
	return otherwise
}
