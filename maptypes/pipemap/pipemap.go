// Package pipemap is the map type pipemap: (DATABASE_README): a key is looked up
// in the first of the tables in its name, "pipemap:{type:name, type:name}", the
// value found there in the second, and so on.
package pipemap

import (
	"context"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/members"
)

// Driver is the map type pipemap:.
var Driver = maptypes.Driver{Type: "pipemap", Open: open}

func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	set, err := members.Open(env, "pipemap", name, mode, flags)
	if err != nil {
		return nil, err
	}
	return &maptypes.Opened{Table: &table{members: set}, Flags: set.Flags(flags)}, nil
}

// table is an open table.
type table struct {
	members members.Set
	pool    sync.Pool // of *maptypes.Request
}

// Lookup returns the first outcome that is not a value, or the last value.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	inner, _ := t.pool.Get().(*maptypes.Request)
	if inner == nil {
		inner = new(maptypes.Request)
	}
	defer t.pool.Put(inner)
	inner.Key, inner.Trace = r.Key, r.Trace
	for _, member := range t.members {
		inner.Flags = member.Flags()
		value, err := member.Lookup(ctx, inner)
		if err != nil {
			return nil, err
		}
		// The value may lie in inner.Buf, which the next member writes to, and
		// r.Buf may hold the key that it was looked up with, which is no longer
		// needed.
		r.Buf = append(r.Buf[:0], value...)
		inner.Key = r.Buf
	}
	return r.Buf, nil
}

func (t *table) Close() error { return t.members.Close() }
