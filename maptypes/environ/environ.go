// Package environ is the map type environ: (postconf(1) -m): the environment of
// the process. The name of the table has no meaning.
package environ

import (
	"context"
	"os"
	"strings"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Driver is the map type environ:.
var Driver = maptypes.Driver{Type: "environ", Open: open}

func open(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	return &maptypes.Opened{
		Table: &table{name: name},
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
	}, nil
}

// updates holds what was stored through tables, for all tables of the process
// as the environment is. The C library's environment is left alone: its getenv
// in one thread does not bear a setenv in another.
var updates sync.Map // string -> []byte

// table is an open table.
type table struct{ name string }

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	key := string(r.Key)
	if value, ok := updates.Load(key); ok {
		return value.([]byte), nil
	}
	value, ok := os.LookupEnv(key)
	if r.Trace != nil {
		r.Trace.Step("environment variable %q; trusted: %t", key, trusted())
	}
	if !ok || !trusted() {
		return nil, maptypes.ErrNotFound
	}
	r.Buf = append(r.Buf[:0], value...)
	return r.Buf, nil
}

// Update stores a value for the rest of the life of the process.
func (t *table) Update(_ context.Context, r *maptypes.Request) error {
	key := string(r.Key)
	if key == "" || strings.Contains(key, "=") {
		return maptypes.Configf("setenv: Invalid argument")
	}
	updates.Store(key, append([]byte{}, r.Value...))
	return nil
}

// Delete is not supported, as in Postfix.
func (t *table) Delete(context.Context, *maptypes.Request) error {
	return maptypes.Configf("table environ:%s: delete operation is not supported", t.name)
}

func (t *table) Close() error { return nil }

// trusted reports whether the environment comes from somebody with the
// privileges of this process.
func trusted() bool {
	return os.Getuid() == 0 && os.Geteuid() == 0 ||
		os.Getuid() == os.Geteuid() && os.Getgid() == os.Getegid()
}
