// Package fail is the map type fail: (DATABASE_README): every request fails with
// a temporary error. It serves for tests of what happens then.
package fail

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Driver is the map type fail:.
var Driver = maptypes.Driver{Type: "fail", Open: open, Create: create}

func open(_ *maptypes.Env, _ string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	opened := &maptypes.Opened{Table: reader{}, Flags: flags | maptypes.FlagPattern}
	if mode.Writable() {
		opened.Table = writer{}
	}
	return opened, nil
}

// reader is a table opened for reading.
type reader struct{}

func (reader) Lookup(context.Context, *maptypes.Request) ([]byte, error) {
	return nil, maptypes.ErrRetry
}

func (reader) Sequence(context.Context, *maptypes.Request, *maptypes.Cursor) (key, value []byte, err error) {
	return nil, nil, maptypes.ErrRetry
}

func (reader) Close() error { return nil }

// writer is a table opened for writing.
type writer struct{ reader }

func (writer) Update(context.Context, *maptypes.Request) error { return maptypes.ErrRetry }

func (writer) Delete(context.Context, *maptypes.Request) error { return maptypes.ErrRetry }

func create(_ *maptypes.Env, name string, _ maptypes.Flags) (maptypes.Builder, error) {
	return builder{name}, nil
}

// builder is a table that cannot be built, which shows at its first entry.
type builder struct{ name string }

func (b builder) Add(context.Context, *maptypes.Request) error {
	return maptypes.Retryf("table fail:%s: write error: Application error", b.name)
}

func (builder) Commit() error { return nil }

func (builder) Abort() {}
