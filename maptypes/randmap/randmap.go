// Package randmap is the map type randmap: (DATABASE_README): every lookup
// returns one of the values in its name, "randmap:{value, value}", chosen at
// random.
package randmap

import (
	"context"
	"math/rand/v2"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Driver is the map type randmap:.
var Driver = maptypes.Driver{Type: "randmap", Open: open}

func open(_ *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("randmap:%s map requires O_RDONLY access mode", name)
	}
	inside, err := textfile.Unbrace(name)
	if err != nil {
		return nil, badSyntax(name)
	}
	t := &table{}
	var watch []string
	for _, value := range textfile.SplitBraceList(inside) {
		if flags&maptypes.FlagSrcRHSIsFile != 0 {
			var files []string
			if value, files, err = maptypes.ReadRHS(value); err != nil {
				return nil, err
			}
			watch = append(watch, files...)
		}
		t.values = append(t.values, []byte(value))
	}
	if len(t.values) == 0 {
		return nil, badSyntax(name)
	}
	return &maptypes.Opened{Table: t, Flags: flags | maptypes.FlagPattern, Watch: watch}, nil
}

func badSyntax(name string) error {
	return maptypes.Configf("bad syntax: \"randmap:%s\"; need \"randmap:{value...}\"", name)
}

// table is an open table.
type table struct{ values [][]byte }

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	n := rand.IntN(len(t.values))
	if r.Trace != nil {
		r.Trace.Step("value %d of %d, chosen at random", n+1, len(t.values))
	}
	return t.values[n], nil
}

func (t *table) Close() error { return nil }
