// Package lmdb is the map type lmdb: (lmdb_table(5)): files that Postfix's
// postmap makes and its daemons update, and the other way round.
//
// Reading needs neither the LMDB library nor a lock (package pagetree). Writing
// uses the library, under an exclusive fcntl(2) lock as in Postfix, and only
// after the file was found to be sound; a build without cgo cannot write.
package lmdb

import (
	"encoding/binary"
	"os"
	"strconv"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// Type is the name of the map type; the suffix of its files is the same.
const (
	Type   = "lmdb"
	suffix = "." + Type
)

// Driver is the map type lmdb:.
var Driver = maptypes.Driver{Type: Type, Open: open, Create: create}

// open opens the table in the file name.lmdb.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if !sameMachine {
		return nil, errMachine
	}
	path := name + suffix
	var w indexed.Writer
	if mode.Writable() {
		var err error
		if w, err = newWriter(path, mode == maptypes.Create, mapSize(env)); err != nil {
			return nil, err
		}
	}
	f, err := openFile(path)
	if err != nil {
		if w != nil {
			w.Close()
		}
		return nil, indexed.OpenError(path, err)
	}
	if info, err := f.Stat(); err == nil && mode == maptypes.ReadOnly && flags&maptypes.FlagLock != 0 {
		indexed.WarnIfStale(env, path, info, name)
	}
	t := &indexed.Table{
		Env:     env,
		Label:   Type + ":" + name,
		Flags:   instanceFlags(flags),
		AddNull: true,
		Exact:   true,
		File:    f,
		Index:   pagetree.NewFile(f, format{}),
		Writer:  w,
	}
	return &maptypes.Opened{
		Table:         t,
		Flags:         t.Flags,
		Fold:          maptypes.FlagFoldFix,
		Watch:         []string{path},
		WatchReplaced: true,
	}, nil
}

// sameMachine: the library's format is that of the machine, and package pagetree
// reads one of them.
var sameMachine = strconv.IntSize == 64 && binary.NativeEndian.Uint16([]byte{1, 0}) == 1

var errMachine = maptypes.Configf("unsupported dictionary type: lmdb: " +
	"its files are supported on 64-bit little-endian machines only; use bolt:")

// instanceFlags returns the flags of a table opened with the given ones. A lock
// for as long as the table is open is not needed: several writers are safe.
func instanceFlags(flags maptypes.Flags) maptypes.Flags {
	flags = indexed.TryBoth(flags) | maptypes.FlagFixed | maptypes.FlagMultiWriter
	if flags&maptypes.FlagOpenLock != 0 {
		flags = flags&^maptypes.FlagOpenLock | maptypes.FlagLock
	}
	return flags
}

// openFile opens an LMDB file for reading. An empty file is none.
func openFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	_, err = pagetree.NewFile(f, format{}).Snapshot()
	if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
		err = syscall.ENOENT
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// defaultMapSize is the default of the parameter lmdb_map_size, and minMapSize
// the least that works.
const (
	defaultMapSize = 16 << 20
	minMapSize     = 8192
)

// mapSize returns the initial size limit of a file in bytes. It is raised when a
// file reaches it.
func mapSize(env *maptypes.Env) int64 {
	if text, ok := env.Param("lmdb_map_size"); ok {
		if size, err := strconv.ParseInt(text, 10, 64); err == nil {
			return max(size, minMapSize)
		}
	}
	return defaultMapSize
}
