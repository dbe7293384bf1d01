// Package cdb is the map type cdb: (cdb_table(5), https://cr.yp.to/cdb.html):
// constant databases, as Postfix's postmap makes and reads them. The files that
// Create makes equal Postfix's byte for byte.
//
// The file is read with pread(2) and not mapped into memory: a file that is
// truncated or overwritten under a reader ends in an error and not in a SIGBUS.
package cdb

import (
	"fmt"
	"os"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// Type is the name of the map type; the suffix of its files is the same.
const (
	Type   = "cdb"
	suffix = "." + Type
)

// Driver is the map type cdb:.
var Driver = maptypes.Driver{Type: Type, Open: open, Create: create}

// open opens the table in the file name.cdb.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode.Writable() {
		return nil, maptypes.Configf("unsupported non-bulk change request")
	}
	path := name + suffix
	f, err := os.Open(path)
	if err != nil {
		return nil, indexed.OpenError(path, err)
	}
	t := &table{reader: reader{src: f}, file: f, label: Type + ":" + path, flags: indexed.TryBoth(flags) | maptypes.FlagFixed}
	info, err := f.Stat()
	if err == nil {
		err = t.reader.init(info.Size())
	}
	if err != nil {
		f.Close()
		if err == errDamaged {
			err = syscall.EPROTO
		}
		return nil, fmt.Errorf("dict_cdbq_open: unable to init %s: %w", path, maptypes.SystemError(err))
	}
	indexed.WarnIfStale(env, path, info, name)
	return &maptypes.Opened{
		Table: t,
		Flags: t.flags,
		Fold:  maptypes.FlagFoldFix,
		Label: t.label,
		Watch: []string{path},
	}, nil
}
