// Package unionmap is the map type unionmap: (DATABASE_README): a key is looked
// up in all the tables in its name, "unionmap:{type:name, type:name}", and the
// values found are joined by commas.
package unionmap

import (
	"context"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/members"
)

// Driver is the map type unionmap:.
var Driver = maptypes.Driver{Type: "unionmap", Open: open}

func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	set, err := members.Open(env, "unionmap", name, mode, flags)
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

// Lookup fails when any member fails. A value of no length counts as found in
// its place in the list, but a result of no length is not found.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	inner, _ := t.pool.Get().(*maptypes.Request)
	if inner == nil {
		inner = new(maptypes.Request)
	}
	defer t.pool.Put(inner)
	r.Buf = r.Buf[:0]
	for _, member := range t.members {
		inner.Key, inner.Flags, inner.Trace = r.Key, member.Flags(), r.Trace
		value, err := member.Lookup(ctx, inner)
		if err == maptypes.ErrNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(r.Buf) > 0 {
			r.Buf = append(r.Buf, ',')
		}
		r.Buf = append(r.Buf, value...)
	}
	if len(r.Buf) == 0 {
		return nil, maptypes.ErrNotFound
	}
	return r.Buf, nil
}

func (t *table) Close() error { return t.members.Close() }
