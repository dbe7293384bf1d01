//go:build !cgo

package lmdb

import (
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// errNoLibrary is the answer of a build without the library.
var errNoLibrary = maptypes.Configf("unsupported dictionary type: lmdb: this program was built without cgo " +
	"and can only read lmdb files; use bolt: or a program that was built with cgo")

func newWriter(string, bool, int64) (indexed.Writer, error) { return nil, errNoLibrary }

func create(*maptypes.Env, string, maptypes.Flags) (maptypes.Builder, error) {
	return nil, errNoLibrary
}
