package cdb

import (
	"context"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// builder makes a file aside. The records are written as they come; memory holds
// what the hash tables need.
type builder struct {
	env     *maptypes.Env
	name    string
	flags   maptypes.Flags
	aside   *indexed.Aside
	records *spool.Spool
}

var _ maptypes.Finisher = (*builder)(nil)

// create begins a file that replaces name.cdb. Like Postfix it locks name.cdb.tmp
// with flock(2).
func create(env *maptypes.Env, name string, flags maptypes.Flags) (maptypes.Builder, error) {
	aside, err := indexed.OpenAside(name+suffix, indexed.LockFlock)
	if err != nil {
		return nil, err
	}
	// Without a word about NUL bytes there are none.
	const both = maptypes.FlagTry0Null | maptypes.FlagTry1Null
	addNull := flags&both == both
	file := func() (*os.File, error) { return aside.File, nil }
	return &builder{
		env:     env,
		name:    name,
		flags:   indexed.DecideNull(flags, 0, addNull),
		aside:   aside,
		records: spool.New(file, headerSize, 1, duplicates(flags)),
	}, nil
}

// duplicates says what to do with duplicate keys. With FlagDupIgnore all entries of
// a key are kept, and lookups find the first.
func duplicates(flags maptypes.Flags) spool.Duplicates {
	switch {
	case flags&maptypes.FlagDupIgnore != 0:
		return spool.KeepAll
	case flags&maptypes.FlagDupReplace != 0:
		return spool.KeepLast
	default:
		return spool.KeepFirst
	}
}

// Add implements maptypes.Builder.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	key, value := indexed.Stored(indexed.BuildFlags(r, b.flags), r.Key, r.Value)
	if b.size()+recordHead+int64(len(key))+int64(len(value))+slotsPerRecord*slotSize > math.MaxUint32 {
		return b.failed(syscall.EFBIG)
	}
	exists, err := b.records.Put(key, value)
	switch {
	case err != nil:
		return b.failed(err)
	case exists:
		return indexed.Duplicate(b.env, b.name, b.flags, r.Key)
	}
	return nil
}

// size returns the size of the file with the hash tables that it needs.
func (b *builder) size() int64 {
	return b.records.End() + int64(b.records.Len())*slotsPerRecord*slotSize
}

// Finish implements maptypes.Finisher.
func (b *builder) Finish(ctx context.Context) error {
	err := b.records.Compact()
	if err == nil {
		err = b.records.Flush()
	}
	if err == nil {
		err = writeTables(ctx, b.aside.File, b.records)
	}
	if err != nil {
		return b.failed(err)
	}
	return b.aside.Sync()
}

// Commit implements maptypes.Builder.
func (b *builder) Commit() error { return b.aside.Commit() }

// Abort implements maptypes.Builder.
func (b *builder) Abort() { b.aside.Abort() }

func (b *builder) failed(err error) error {
	return fmt.Errorf("error writing %s: %w", b.aside.TempPath(), maptypes.SystemError(err))
}
