// Package static is the map type static: (DATABASE_README): its name is the
// value of every key. Braces around the name are removed with the white space
// inside them: "static:{ text with spaces }".
package static

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Driver is the map type static:.
var Driver = maptypes.Driver{Type: "static", Open: open}

func open(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	value := name
	if name[0] == '{' {
		var err error
		if value, err = textfile.UnbraceTrim(name); err != nil {
			return nil, maptypes.Configf("bad static:name syntax: %w", err)
		}
	}
	var files []string
	if flags&maptypes.FlagSrcRHSIsFile != 0 {
		var err error
		if value, files, err = maptypes.ReadRHS(value); err != nil {
			return nil, err
		}
	}
	return &maptypes.Opened{
		Table: &table{value: []byte(value)},
		Flags: flags | maptypes.FlagFixed,
		Watch: files,
	}, nil
}

// table is an open table.
type table struct{ value []byte }

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	if r.Trace != nil {
		r.Trace.Step("the name of the table is the value of every key")
	}
	return t.value, nil
}

func (t *table) Close() error { return nil }
