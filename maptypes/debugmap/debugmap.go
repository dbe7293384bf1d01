// Package debugmap is the map type debug: (DATABASE_README, Postfix 3.11): all
// requests go to the table in its name, "debug:type:name", and are logged with
// their outcome.
package debugmap

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Driver is the map type debug:.
var Driver = maptypes.Driver{Type: "debug", Open: open}

func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	inner, err := env.Open(name, mode, flags)
	if err != nil {
		return nil, err
	}
	return &maptypes.Opened{
		Table: &table{name: name, inner: inner, infof: env.Infof},
		Flags: inner.Flags(),
	}, nil
}

// table is an open table.
type table struct {
	name  string
	inner *maptypes.Handle
	infof func(format string, args ...any)
}

func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	value, err := t.inner.Lookup(ctx, r)
	result := string(value)
	switch {
	case err == maptypes.ErrNotFound:
		result = "not_found"
	case err != nil:
		result = "error"
	}
	t.infof("%s lookup: \"%s\" = \"%s\"", t.name, r.Key, result)
	return value, err
}

func (t *table) Update(ctx context.Context, r *maptypes.Request) error {
	err := t.inner.Update(ctx, r)
	t.infof("%s update: \"%s\" = \"%s\": %s", t.name, r.Key, r.Value, outcome(err))
	return err
}

func (t *table) Delete(ctx context.Context, r *maptypes.Request) error {
	err := t.inner.Delete(ctx, r)
	t.infof("%s delete: \"%s\": %s", t.name, r.Key, outcome(err))
	return err
}

func (t *table) Sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	key, value, err = t.inner.Sequence(ctx, r, c)
	if err != nil {
		t.infof("%s sequence: found EOF", t.name)
	} else {
		t.infof("%s sequence: \"%s\" = \"%s\"", t.name, key, value)
	}
	return key, value, err
}

func (t *table) Close() error { return t.inner.Close() }

// outcome names the outcome of a change.
func outcome(err error) string {
	switch {
	case err == nil:
		return "success"
	case err == maptypes.ErrNotFound:
		return "failed"
	default:
		return "error"
	}
}
