package maptypes

import "context"

// Build is a table that is being built anew: a driver's Builder behind the
// layer that checks and folds keys. It is used by one goroutine.
type Build struct {
	builder Builder
	layer   layer
	flags   Flags
}

// Add stores one entry; r.Flags are the flags that the build was begun with. A
// key or value that is not valid UTF-8, where that is asked for, is left out
// with a warning.
func (b *Build) Add(ctx context.Context, r *Request) error {
	key, flags, ok := b.layer.enter(r)
	if !ok || !b.layer.checkValue(key, r.Value) {
		b.layer.leave(r, key, flags)
		return nil
	}
	defer b.layer.leave(r, key, flags)
	return b.builder.Add(ctx, r)
}

// Flags returns the flags that the build was begun with.
func (b *Build) Flags() Flags { return b.flags }

// Commit makes the table durable and visible.
func (b *Build) Commit() error { return b.builder.Commit() }

// Abort leaves everything as it was. After Commit it does nothing.
func (b *Build) Abort() { b.builder.Abort() }
