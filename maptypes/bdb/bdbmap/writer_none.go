//go:build !cgo || !libdb

package bdbmap

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

// CanWrite says whether this build creates and changes files of Berkeley DB.
const CanWrite = false

// writer has no values in this build.
type writer struct{}

func newWriter(*maptypes.Env, string, bdb.Kind, bool) (*writer, error) { return nil, nil }

func newBuilder(_ *maptypes.Env, kind bdb.Kind, name string, _ maptypes.Flags) (maptypes.Builder, error) {
	return nil, cannotWrite(kind, name)
}

func (*writer) put(context.Context, []byte, []byte, bool, bool) (bool, error) { return false, nil }
func (*writer) remove(context.Context, [][]byte, bool) (int, error)           { return -1, nil }
func (*writer) flush() error                                                  { return nil }
func (*writer) close() error                                                  { return nil }
