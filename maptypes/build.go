package maptypes

import "context"

// Build is a table that is being built anew: a driver's Builder behind the
// layer that checks and folds keys. It is used by one goroutine.
type Build struct {
	builder  Builder
	layer    layer
	flags    Flags
	finished bool
}

// Finisher is a Builder that has long work left when all entries are there, which
// an interrupt must be able to end. Finish comes once, between the last Add and
// Commit. After an error, as after one of the others, comes Abort.
type Finisher interface {
	Finish(ctx context.Context) error
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

// Finish does most of the work that is left when all entries are there. When ctx
// ends it returns the cause of that. Nothing can be added afterwards.
func (b *Build) Finish(ctx context.Context) error {
	if b.finished {
		return nil
	}
	b.finished = true
	if f, ok := b.builder.(Finisher); ok {
		return f.Finish(ctx)
	}
	return nil
}

// Commit makes the table durable and visible.
func (b *Build) Commit() error {
	if err := b.Finish(context.Background()); err != nil {
		b.Abort()
		return err
	}
	defer lookAgain()
	return b.builder.Commit()
}

// Abort leaves everything as it was. After Commit it does nothing.
func (b *Build) Abort() { b.builder.Abort() }
