// Package cidr implements the cidr: map type (cidr_table(5)): rules with
// network addresses in CIDR notation. Keys are addresses; any other key is not
// found.
package cidr

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// Driver is the cidr: map type.
var Driver = maptypes.Driver{Type: "cidr", Open: open}

const typeName = "cidr"

// open reads the table called name.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if err := rulefile.ErrReadOnly(typeName, name, mode); err != nil {
		return nil, err
	}
	src := &rulefile.Source{Env: env, Type: typeName, Name: name, Flags: flags}
	var b builder
	err := src.Each(func(line int, text string) {
		if err := b.line(src, line, text); err != nil {
			src.Warnf(line, "%v: skipping this rule", err)
		}
	})
	if err != nil {
		return nil, err
	}
	b.stack.Finish(src)
	t := b.table()
	t.src = src
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagPattern,
		Watch: src.Watch,
	}, nil
}

// Lookup implements maptypes.Table.
func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	addr, ok := parseKey(r.Key)
	if r.Trace != nil {
		t.explain(r, addr)
	}
	if !ok {
		return nil, maptypes.ErrNotFound
	}
	n, ok := t.find(addr)
	if !ok {
		return nil, maptypes.ErrNotFound
	}
	return t.values.get(n), nil
}

// Close implements maptypes.Table.
func (t *table) Close() error { return nil }
