// Package bolt is the map type bolt: files of bbolt (go.etcd.io/bbolt), read and
// written without a C compiler. Postfix does not have it.
//
// bbolt locks a file as long as it has it open, and takes the process down with
// a damaged one. Here reading does without the library and its lock (package
// pagetree), and writing opens the file for one transaction, after a check that
// it is sound.
package bolt

import (
	"os"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// Type is the name of the map type; the suffix of its files is the same.
const (
	Type   = "bolt"
	suffix = "." + Type
)

// Driver is the map type bolt:.
var Driver = maptypes.Driver{Type: Type, Open: open, Create: create}

// open opens the table in the file name.bolt.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	path := name + suffix
	var w indexed.Writer
	if mode.Writable() {
		var err error
		if w, err = newWriter(path, mode == maptypes.Create); err != nil {
			return nil, indexed.OpenError(path, err)
		}
	}
	f, err := openFile(path)
	if err != nil {
		return nil, indexed.OpenError(path, err)
	}
	if info, err := f.Stat(); err == nil && mode == maptypes.ReadOnly && flags&maptypes.FlagLock != 0 {
		indexed.WarnIfStale(env, path, info, name)
	}
	t := &indexed.Table{
		Env:    env,
		Label:  Type + ":" + name,
		Flags:  instanceFlags(flags),
		File:   f,
		Index:  pagetree.NewFile(f, format{}),
		Writer: w,
	}
	return &maptypes.Opened{
		Table:         t,
		Flags:         t.Flags,
		Fold:          maptypes.FlagFoldFix,
		Watch:         []string{path},
		WatchReplaced: true,
	}, nil
}

// instanceFlags returns the flags of a table opened with the given ones. A lock
// for as long as the table is open is not needed: several writers are safe.
func instanceFlags(flags maptypes.Flags) maptypes.Flags {
	flags = indexed.TryBoth(flags) | maptypes.FlagFixed | maptypes.FlagMultiWriter
	if flags&maptypes.FlagOpenLock != 0 {
		flags = flags&^maptypes.FlagOpenLock | maptypes.FlagLock
	}
	return flags
}

// openFile opens a bbolt file for reading. An empty file is none.
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
