// Package unixmap is the map type unix: (DATABASE_README): the system's password
// and group databases, "unix:passwd.byname" and "unix:group.byname". A value is
// the line that passwd(5) or group(5) describes.
package unixmap

import (
	"context"
	"sync/atomic"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Driver is the map type unix:.
var Driver = maptypes.Driver{Type: "unix", Open: open}

// database is one of the two databases.
type database struct {
	what string // "password" or "group"
	// find appends the entry of a name to dst; found is false when there is
	// none.
	find func(dst []byte, name string) (entry []byte, found bool, err error)
	// hasRoot reports whether the entry of number 0 can be read.
	hasRoot func() bool
}

// maxCalls bounds the requests of one table that wait for the system: behind
// nsswitch.conf(5) may be a server that does not answer, and a call cannot be
// broken off.
const maxCalls = 16

func open(_ *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("unix:%s map requires O_RDONLY access mode", name)
	}
	t := &table{calls: make(chan struct{}, maxCalls)}
	switch name {
	case "passwd.byname":
		t.database = passwd
	case "group.byname":
		t.database = group
	default:
		return nil, maptypes.Configf("unknown table: unix:%s", name)
	}
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
	}, nil
}

// table is an open table.
type table struct {
	database
	calls    chan struct{} // one element for each call in progress
	readable atomic.Bool   // the database has been seen to work
}

// Lookup says "not found" only of a database that works: a system without one
// says that of every name.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	if r.Trace != nil {
		r.Trace.Step("asking the system's %s database for %s", t.what, maptypes.Quote(r.Key))
	}
	if ctx.Done() == nil {
		entry, err := t.lookup(r.Buf[:0], string(r.Key))
		if err == nil {
			r.Buf = entry
		}
		return entry, err
	}
	select {
	case t.calls <- struct{}{}:
	case <-ctx.Done():
		return nil, t.unavailable(ctx.Err())
	}
	type answer struct {
		entry []byte
		err   error
	}
	done := make(chan answer, 1)
	name := string(r.Key)
	go func() {
		defer func() { <-t.calls }()
		entry, err := t.lookup(nil, name)
		done <- answer{entry, err}
	}()
	select {
	case a := <-done:
		return a.entry, a.err
	case <-ctx.Done():
		return nil, t.unavailable(ctx.Err())
	}
}

// lookup is Lookup without a limit in time. It appends to dst.
func (t *table) lookup(dst []byte, name string) ([]byte, error) {
	entry, found, err := t.find(dst, name)
	if err != nil {
		return nil, t.unavailable(maptypes.SystemError(err))
	}
	if !found {
		if !t.readable.Load() && !t.hasRoot() {
			return nil, maptypes.Retryf("cannot access UNIX %s database", t.what)
		}
		t.readable.Store(true)
		return nil, maptypes.ErrNotFound
	}
	t.readable.Store(true)
	return entry, nil
}

func (t *table) unavailable(err error) error {
	return maptypes.Retryf("cannot access UNIX %s database: %w", t.what, err)
}

func (t *table) Close() error { return nil }
