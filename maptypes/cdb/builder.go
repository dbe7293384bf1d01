package cdb

import (
	"context"
	"fmt"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// builder makes a file aside. The entries are in memory until the end.
type builder struct {
	env   *maptypes.Env
	name  string
	flags maptypes.Flags
	aside *indexed.Aside
	image *image
}

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
	return &builder{
		env:   env,
		name:  name,
		flags: indexed.DecideNull(flags, 0, addNull),
		aside: aside,
		image: newImage(),
	}, nil
}

// Add implements maptypes.Builder. With FlagDupIgnore all entries of a key are
// kept, and lookups find the first.
func (b *builder) Add(_ context.Context, r *maptypes.Request) error {
	key, value := indexed.Stored(b.flags, r.Key, r.Value)
	if b.flags&maptypes.FlagDupIgnore == 0 {
		if i := b.image.find(key); i >= 0 {
			if b.flags&maptypes.FlagDupReplace == 0 {
				return indexed.Duplicate(b.env, b.name, b.flags, r.Key)
			}
			b.image.remove(i)
		}
	}
	if !b.image.add(key, value) {
		return b.failed(syscall.EFBIG)
	}
	return nil
}

// Commit implements maptypes.Builder.
func (b *builder) Commit() error {
	if err := b.image.write(b.aside.File); err != nil {
		b.Abort()
		return b.failed(err)
	}
	return b.aside.Commit()
}

// Abort implements maptypes.Builder.
func (b *builder) Abort() { b.aside.Abort() }

func (b *builder) failed(err error) error {
	return fmt.Errorf("error writing %s: %w", b.aside.TempPath(), maptypes.SystemError(err))
}
