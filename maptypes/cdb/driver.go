// Package cdb is the map type cdb: (cdb_table(5), https://cr.yp.to/cdb.html):
// constant databases, as Postfix's postmap makes and reads them. The files that
// Create makes equal Postfix's byte for byte.
//
// A file of up to maxCopy bytes is copied into memory when it is opened, a larger
// one is mapped (package filemap). Of a mapped file that is truncated under a
// reader the rest is read with pread(2), which tells its end.
package cdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	t := &table{file: f, label: Type + ":" + path, flags: indexed.TryBoth(flags) | maptypes.FlagFixed}
	info, err := f.Stat()
	if err == nil {
		t.reader.src, err = source(f, info.Size())
	}
	if err == nil {
		err = t.reader.init(info.Size())
	}
	if err == nil && t.size > maxCopy {
		err = t.mapFile(info.ModTime())
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

// maxCopy is the size in bytes of the largest file that is copied into memory.
const maxCopy = 16 << 20

// source returns what lookups read: a copy of the file, or the file if it is large.
func source(f *os.File, size int64) (io.ReaderAt, error) {
	if size > maxCopy {
		return f, nil
	}
	content := make([]byte, size)
	if _, err := f.ReadAt(content, 0); errors.Is(err, io.EOF) {
		return nil, errDamaged
	} else if err != nil {
		return nil, err
	}
	return bytes.NewReader(content), nil
}
