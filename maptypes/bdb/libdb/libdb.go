//go:build cgo && libdb

package libdb

/*
#cgo LDFLAGS: -ldb
#include <stdlib.h>
#include <string.h>
#include <db.h>

// Errors are returned; the library is not to print them.
static void pm_quiet(const DB_ENV *env, const char *prefix, const char *text) {
	(void)env; (void)prefix; (void)text;
}

// A private memory pool in the directory of the file: not the working directory,
// whose DB_CONFIG the library would read.
static int pm_env(DB_ENV **env, const char *dir, u_int32_t cache) {
	u_int32_t gbytes, bytes;
	int ncache, err;

	if ((err = db_env_create(env, 0)) != 0)
		return err;
	(*env)->set_errcall(*env, pm_quiet);
	err = (*env)->get_cachesize(*env, &gbytes, &bytes, &ncache);
	if (err == 0 && gbytes == 0 && bytes < cache) {
		err = (*env)->set_cache_max(*env, 0, cache);
		if (err == 0)
			err = (*env)->set_cachesize(*env, 0, cache, ncache);
	}
	if (err == 0)
		err = (*env)->open(*env, dir, DB_INIT_MPOOL | DB_CREATE | DB_PRIVATE, 0);
	if (err != 0)
		(*env)->close(*env, 0);
	return err;
}

static int pm_open(DB_ENV **env, DB **db, const char *dir, const char *base,
		   int hash, u_int32_t flags, u_int32_t cache,
		   u_int32_t entries, u_int32_t density) {
	int err = pm_env(env, dir, cache);

	if (err != 0)
		return err;
	err = db_create(db, *env, 0);
	if (err == 0) {
		if (hash && entries != 0)
			err = (*db)->set_h_nelem(*db, entries);
		if (hash && density != 0 && err == 0)
			err = (*db)->set_h_ffactor(*db, density);
		if (err == 0)
			err = (*db)->open(*db, NULL, base, NULL,
					  hash ? DB_HASH : DB_BTREE, flags, 0644);
		if (err != 0)
			(*db)->close(*db, DB_NOSYNC);
	}
	if (err != 0)
		(*env)->close(*env, 0);
	return err;
}

static void pm_dbt(DBT *dbt, void *data, size_t size) {
	memset(dbt, 0, sizeof(*dbt));
	dbt->data = data;
	dbt->size = size;
}

static int pm_put(DB *db, void *k, size_t kn, void *v, size_t vn, u_int32_t flags) {
	DBT key, value;

	pm_dbt(&key, k, kn);
	pm_dbt(&value, v, vn);
	return db->put(db, NULL, &key, &value, flags);
}

static int pm_del(DB *db, void *k, size_t kn) {
	DBT key;

	pm_dbt(&key, k, kn);
	return db->del(db, NULL, &key, 0);
}

static int pm_sync(DB *db) { return db->sync(db, 0); }

static int pm_close(DB_ENV *env, DB *db, u_int32_t flags) {
	int err = db->close(db, flags);
	int err2 = env->close(env, 0);

	return err != 0 ? err : err2;
}
*/
import "C"

import (
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

// DB is an open file. It is used by one goroutine at a time, while the file is
// locked.
type DB struct {
	env *C.DB_ENV
	db  *C.DB
}

// Open opens a file that exists, with a cache of so many bytes at least.
func Open(path string, kind bdb.Kind, cache int) (*DB, error) {
	return open(path, kind, 0, cache, Layout{})
}

// Layout is what a hash table is made for.
type Layout struct {
	Entries int // how many are expected
	Density int // how many of them are to be in a bucket; 0: what fits on a page
}

// DefaultLayout is that of Postfix. Without a density it has no effect.
var DefaultLayout = Layout{Entries: 4096}

// Create is Open for a file that it creates or empties. The layout is of no
// interest for a B-tree.
func Create(path string, kind bdb.Kind, cache int, layout Layout) (*DB, error) {
	return open(path, kind, C.DB_CREATE|C.DB_TRUNCATE, cache, layout)
}

func open(path string, kind bdb.Kind, flags C.u_int32_t, cache int, layout Layout) (*DB, error) {
	dir, base := C.CString(filepath.Dir(path)), C.CString(filepath.Base(path))
	defer C.free(unsafe.Pointer(dir))
	defer C.free(unsafe.Pointer(base))
	var hash C.int
	if kind == bdb.Hash {
		hash = 1
	}
	d := &DB{}
	err := failure(C.pm_open(&d.env, &d.db, dir, base, hash, flags, C.u_int32_t(cache),
		C.u_int32_t(layout.Entries), C.u_int32_t(layout.Density)))
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Put stores a value. Without replace it leaves a key that is there as it is,
// and says so.
func (d *DB) Put(key, value []byte, replace bool) (exists bool, err error) {
	flags := C.u_int32_t(C.DB_NOOVERWRITE)
	if replace {
		flags = 0
	}
	ret := C.pm_put(d.db, pointer(key), C.size_t(len(key)), pointer(value), C.size_t(len(value)), flags)
	if ret == C.DB_KEYEXIST {
		return true, nil
	}
	return false, failure(ret)
}

// Delete removes a key, and reports whether it was there.
func (d *DB) Delete(key []byte) (found bool, err error) {
	ret := C.pm_del(d.db, pointer(key), C.size_t(len(key)))
	if ret == C.DB_NOTFOUND {
		return false, nil
	}
	return ret == 0, failure(ret)
}

// Sync makes all changes durable.
func (d *DB) Sync() error { return failure(C.pm_sync(d.db)) }

// Close closes the file after Sync.
func (d *DB) Close() error { return failure(C.pm_close(d.env, d.db, C.DB_NOSYNC)) }

func pointer(b []byte) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(b))
}

// Error is a failure of the library itself (DB_RUNRECOVERY...).
type Error struct {
	Code int
	text string
}

func (e *Error) Error() string { return e.text }

// failure returns the error for a return value: a system error number or one of
// the library's own, which are negative.
func failure(ret C.int) error {
	switch {
	case ret == 0:
		return nil
	case ret > 0:
		return syscall.Errno(ret)
	default:
		return &Error{Code: int(ret), text: C.GoString(C.db_strerror(ret))}
	}
}
