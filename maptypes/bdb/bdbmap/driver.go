package bdbmap

import (
	"errors"
	"os"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// suffix is that of the files of both kinds.
const suffix = ".db"

// New returns the driver of the map type for files of one kind.
func New(kind bdb.Kind) maptypes.Driver {
	return maptypes.Driver{
		Type: kind.String(),
		Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			return open(env, kind, name, mode, flags)
		},
		Create: func(env *maptypes.Env, name string, flags maptypes.Flags) (maptypes.Builder, error) {
			return create(env, kind, name, flags)
		},
	}
}

// open opens the table in the file name.db, or another in its place.
func open(env *maptypes.Env, kind bdb.Kind, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	m, err := newMigration(env, kind, name)
	if err != nil {
		return nil, err
	}
	if m.redirects(mode.Writable()) {
		return m.open(mode, flags)
	}
	m.advise()
	o, err := openFile(env, kind, name, mode, flags)
	// There is nothing to be had from a file of the wrong kind as it is.
	var foreign bdb.ForeignError
	if errors.As(err, &foreign) || errors.Is(err, bdb.ErrDamaged) {
		return &maptypes.Opened{Watch: []string{name + suffix}}, err
	}
	return o, err
}

// openFile opens the table in the file name.db.
func openFile(env *maptypes.Env, kind bdb.Kind, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	path := name + suffix
	var w *writer
	if mode.Writable() && CanWrite {
		var err error
		if w, err = newWriter(env, path, kind, mode == maptypes.Create); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		if mode == maptypes.Create && !CanWrite && errors.Is(err, os.ErrNotExist) {
			return nil, cannotWrite(kind, name)
		}
		return nil, indexed.OpenError(path, err)
	}
	t := newTable(env, kind, name, f, w)
	if err := t.check(); err != nil {
		f.Close()
		return nil, indexed.OpenError(path, err)
	}
	if info, err := f.Stat(); err == nil && mode == maptypes.ReadOnly && flags&maptypes.FlagLock != 0 {
		indexed.WarnIfStale(env, path, info, name)
	}
	t.flags = indexed.TryBoth(flags) | maptypes.FlagFixed
	return &maptypes.Opened{
		Table:         t,
		Flags:         t.flags,
		Fold:          maptypes.FlagFoldFix,
		Label:         kind.String() + ":" + path,
		Watch:         []string{path},
		WatchReplaced: true,
	}, nil
}

// create begins a file that replaces name.db, or another in its place.
func create(env *maptypes.Env, kind bdb.Kind, name string, flags maptypes.Flags) (maptypes.Builder, error) {
	m, err := newMigration(env, kind, name)
	if err != nil {
		return nil, err
	}
	if m.redirects(true) {
		return m.create(flags)
	}
	if !CanWrite {
		return nil, cannotWrite(kind, name)
	}
	m.advise()
	return newBuilder(env, kind, name, flags)
}

// cannotWrite is why this build does not change a table, and what to do.
func cannotWrite(kind bdb.Kind, name string) error {
	return maptypes.Configf("Berkeley DB support for '%s:%s' is not available for this build, which can only read such files; "+
		"use %s:%s instead, or set non_bdb_migration_level = enable-redirect", kind, name, instead, name)
}
