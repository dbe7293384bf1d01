package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// writer changes a file. It opens it anew for each transaction, so that writers
// in other processes get their turn.
type writer struct {
	path   string
	create bool // the file if it is missing

	turn  chan struct{} // holds one token while a goroutine uses what follows
	ident os.FileInfo   // the file that guard knows
	guard indexed.Guard
}

// openTimeout is how long opening a table waits for other writers.
const openTimeout = 30 * time.Second

// newWriter returns a writer of the file at path, which it creates if it is
// missing and create is set.
func newWriter(path string, create bool) (*writer, error) {
	w := &writer{path: path, create: create, turn: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	return w, w.locked(ctx, func(*os.File) error { return nil })
}

// errExists ends a transaction that has nothing to do.
var errExists = errors.New("entry exists")

// Put implements indexed.Writer.
func (w *writer) Put(ctx context.Context, key, value []byte, replace bool) (exists bool, err error) {
	if len(key) == 0 {
		return false, maptypes.Configf("key required")
	}
	if len(key) > bbolt.MaxKeySize {
		return false, maptypes.Configf("key too large")
	}
	if int64(len(value)) > bbolt.MaxValueSize {
		return false, maptypes.Configf("value too large")
	}
	err = w.update(ctx, func(b *bbolt.Bucket) error {
		if !replace && b.Get(key) != nil {
			return errExists
		}
		return b.Put(key, value)
	})
	if err == errExists {
		return true, nil
	}
	return false, err
}

// Delete implements indexed.Writer.
func (w *writer) Delete(ctx context.Context, keys ...[]byte) (found int, err error) {
	err = w.update(ctx, func(b *bbolt.Bucket) error {
		for i, key := range keys {
			if b.Get(key) != nil {
				found = i
				return b.Delete(key)
			}
		}
		return maptypes.ErrNotFound
	})
	if err == maptypes.ErrNotFound {
		return -1, nil
	}
	return found, err
}

// Close implements indexed.Writer.
func (*writer) Close() error { return nil }

// update runs one transaction. An error of do takes everything back.
func (w *writer) update(ctx context.Context, do func(*bbolt.Bucket) error) error {
	return w.locked(ctx, func(f *os.File) error {
		err := transact(f, do)
		if err == nil {
			w.guard.Wrote()
		}
		return err
	})
}

// locked calls do with the file that is at the path, open, sound, and locked.
func (w *writer) locked(ctx context.Context, do func(*os.File) error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	f, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := w.check(f); err != nil {
		return err
	}
	return do(f)
}

// lock opens and locks the file that is at the path.
func (w *writer) lock(ctx context.Context) (*os.File, error) {
	for {
		f, err := w.open()
		if err != nil {
			return nil, maptypes.SystemError(err)
		}
		if err := indexed.LockFlock(ctx, f); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock dictionary: %w", maptypes.SystemError(err))
		}
		if indexed.IsAt(f, w.path) {
			return f, nil
		}
		f.Close()
	}
}

func (w *writer) open() (*os.File, error) {
	if w.create {
		return os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, indexed.FileMode)
	}
	return os.OpenFile(w.path, os.O_RDWR, 0)
}

// check makes sure that the library can use the file: that it is sound, or new.
func (w *writer) check(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return maptypes.SystemError(err)
	}
	if w.ident == nil || !os.SameFile(w.ident, info) {
		w.ident, w.guard = info, indexed.Guard{}
	}
	if info.Size() > 0 {
		return w.guard.Check(f, info.Size(), format{})
	}
	if !w.create {
		return maptypes.SystemError(syscall.ENOENT)
	}
	if err := transact(f, func(*bbolt.Bucket) error { return nil }); err != nil {
		return err
	}
	return indexed.SyncDir(w.path)
}

// transact opens the database in the locked file, runs one transaction, and
// waits until it is on the disk.
func transact(f *os.File, do func(*bbolt.Bucket) error) (err error) {
	// A file that changes after the check makes the library panic, also by
	// touching memory that is not there.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = maptypes.Configf("%v", p)
		}
	}()
	db, err := openDB(f, bbolt.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketKey)
		if err != nil {
			return err
		}
		return do(b)
	})
}

// openDB opens the database in a file that stays open. The library locks it by
// flock(2), which does nothing if the file has that lock.
func openDB(f *os.File, o bbolt.Options) (*bbolt.DB, error) {
	o.Timeout = time.Millisecond
	o.NoStatistics = true
	o.OpenFile = func(string, int, os.FileMode) (*os.File, error) { return duplicate(f) }
	return bbolt.Open(f.Name(), indexed.FileMode, &o)
}

// duplicate returns another descriptor of the same open file: the library closes
// the one that it gets.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	copied := -1
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		copied, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err := errors.Join(err, dupErr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(copied), f.Name()), nil
}
