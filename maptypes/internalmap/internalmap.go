// Package internalmap is the map type internal: (postconf(1) -m): a table in
// memory that is empty when it is opened and lives as long as it is open.
package internalmap

import (
	"context"
	"sort"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Driver is the map type internal:.
var Driver = maptypes.Driver{Type: "internal", Open: open}

func open(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	return &maptypes.Opened{
		Table: &table{byKey: map[string]*entry{}},
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
	}, nil
}

// entry is one key with its value.
type entry struct {
	key    string
	value  []byte // never changed in place: answers point to it
	serial int64  // from 1, in the order in which keys were added
	gone   bool   // deleted, but still in order
}

// table is an open table.
type table struct {
	mu    sync.RWMutex
	byKey map[string]*entry
	order []*entry // by serial
	last  int64    // the last serial given out
}

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.byKey[string(r.Key)]
	if r.Trace != nil {
		r.Trace.Step("key %s among %d in memory", maptypes.Quote(r.Key), len(t.byKey))
	}
	if e == nil {
		return nil, maptypes.ErrNotFound
	}
	return e.value, nil
}

// Update replaces an existing entry whatever the flags for duplicates say.
func (t *table) Update(_ context.Context, r *maptypes.Request) error {
	value := append([]byte{}, r.Value...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[string(r.Key)]; e != nil {
		e.value = value
		return nil
	}
	t.last++
	e := &entry{key: string(r.Key), value: value, serial: t.last}
	t.byKey[e.key] = e
	t.order = append(t.order, e)
	return nil
}

func (t *table) Delete(_ context.Context, r *maptypes.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[string(r.Key)]
	if e == nil {
		return maptypes.ErrNotFound
	}
	delete(t.byKey, e.key)
	e.gone = true
	if len(t.order) > 2*len(t.byKey)+16 {
		t.compact()
	}
	return nil
}

// compact forgets deleted entries. Cursors hold serial numbers and stay valid.
func (t *table) compact() {
	order := make([]*entry, 0, len(t.byKey))
	for _, e := range t.order {
		if !e.gone {
			order = append(order, e)
		}
	}
	t.order = order
}

// Sequence returns the entries in the order in which their keys were added.
func (t *table) Sequence(_ context.Context, _ *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	next := sort.Search(len(t.order), func(i int) bool { return t.order[i].serial > c.Pos })
	for _, e := range t.order[next:] {
		if !e.gone {
			c.Key, c.Pos = append(c.Key[:0], e.key...), e.serial
			return []byte(e.key), e.value, nil
		}
	}
	return nil, nil, maptypes.ErrNotFound
}

func (t *table) Close() error { return nil }
