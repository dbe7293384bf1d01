package indexed

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// Writer changes an index file. Its methods may be called by several goroutines
// at once.
type Writer interface {
	// Put stores a value, durably. Without replace it leaves a key that is
	// there as it is, and says so.
	Put(ctx context.Context, key, value []byte, replace bool) (exists bool, err error)

	// Delete removes the first of the keys that is there, durably, and
	// returns which one that was, or -1.
	Delete(ctx context.Context, keys ...[]byte) (found int, err error)

	// Close releases what the writer holds.
	Close() error
}

// Table is an open table in a file that pagetree reads.
type Table struct {
	Env   *maptypes.Env
	Label string // "type:name", for messages
	// Flags are those of the instance.
	Flags maptypes.Flags
	// AddNull is how entries are stored when the flags leave it open: with
	// a trailing NUL.
	AddNull bool
	// Exact makes a sequence end at an entry that was deleted meanwhile, as
	// in Postfix, where the next request starts over.
	Exact bool
	// File is open, and Index reads it.
	File  *os.File
	Index *pagetree.File
	// Writer is nil if the table is open for reading only.
	Writer Writer
}

var (
	_ maptypes.Table     = (*Table)(nil)
	_ maptypes.Updater   = (*Table)(nil)
	_ maptypes.Sequencer = (*Table)(nil)
)

// Lookup implements maptypes.Table.
func (t *Table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	value, err := Lookup(t.Index, r, Ways(r, t.Flags))
	if err != nil {
		return nil, t.readError("reading", err)
	}
	return value, nil
}

// Sequence implements maptypes.Sequencer. The order is that of the bytes of the
// keys.
func (t *Table) Sequence(_ context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	buf, size, err := t.Index.Next(c.Key, t.Exact, r.Buf[:0])
	r.Buf = buf
	if err != nil {
		if err == maptypes.ErrNotFound {
			c.Key = nil
		}
		return nil, nil, t.readError("seeking", err)
	}
	if c.Key == nil {
		c.Key = []byte{} // also before the entry of an empty key
	}
	c.Key = append(c.Key[:0], buf[:size]...)
	return String(buf[:size]), String(buf[size:]), nil
}

// Update implements maptypes.Updater.
func (t *Table) Update(ctx context.Context, r *maptypes.Request) error {
	if t.Writer == nil {
		return t.readOnly("updating")
	}
	r.Flags = DecideNull(r.Flags, t.Flags, t.AddNull)
	key, value := Stored(r.Flags, r.Key, r.Value)
	exists, err := t.Writer.Put(ctx, key, value, r.Flags&maptypes.FlagDupReplace != 0)
	switch {
	case err != nil:
		return t.writeError("updating", err)
	case exists:
		return Duplicate(t.Env, t.Label, r.Flags, r.Key)
	}
	return nil
}

// Delete implements maptypes.Updater.
func (t *Table) Delete(ctx context.Context, r *maptypes.Request) error {
	if t.Writer == nil {
		return t.readOnly("deleting from")
	}
	var keys [][]byte
	var unused []maptypes.Flags // what a hit on the key clears
	try := Ways(r, t.Flags)
	if try&maptypes.FlagTry1Null != 0 {
		keys, unused = append(keys, terminated(r.Key)), append(unused, maptypes.FlagTry0Null)
	}
	if try&maptypes.FlagTry0Null != 0 {
		keys, unused = append(keys, r.Key), append(unused, maptypes.FlagTry1Null)
	}
	found, err := t.Writer.Delete(ctx, keys...)
	switch {
	case err != nil:
		return t.writeError("deleting from", err)
	case found < 0:
		return maptypes.ErrNotFound
	}
	r.Flags &^= unused[found]
	return nil
}

// Close implements maptypes.Table.
func (t *Table) Close() error {
	err := errors.Join(t.Index.Close(), t.File.Close())
	if t.Writer != nil {
		err = errors.Join(err, t.Writer.Close())
	}
	return err
}

// DecideNull returns flags with one way to store keys: the requestor's or the
// table's if there is only one, else the default.
func DecideNull(flags, table maptypes.Flags, addNull bool) maptypes.Flags {
	if flags&either == 0 {
		flags |= TryBoth(table) & either
	}
	if flags&either != either {
		return flags
	}
	if addNull {
		return flags &^ maptypes.FlagTry0Null
	}
	return flags &^ maptypes.FlagTry1Null
}

// readError gives an error of reading its class and text: a file that
// contradicts itself has to be built anew.
func (t *Table) readError(doing string, err error) error {
	switch {
	case err == maptypes.ErrNotFound:
		return err
	case errors.Is(err, pagetree.ErrDamaged):
		return maptypes.Configf("error %s %s: %w", doing, t.Label, err)
	default:
		return maptypes.Retryf("error %s %s: %w", doing, t.Label, maptypes.SystemError(err))
	}
}

// writeError gives an error of writing its text, and a class if it has none.
func (t *Table) writeError(doing string, err error) error {
	if errors.Is(err, pagetree.ErrDamaged) || maptypes.Class(err) == maptypes.ErrConfig {
		return maptypes.Configf("error %s %s: %w", doing, t.Label, err)
	}
	return maptypes.Retryf("error %s %s: %w", doing, t.Label, err)
}

func (t *Table) readOnly(doing string) error {
	return maptypes.Configf("error %s %s: %w", doing, t.Label, maptypes.SystemError(syscall.EACCES))
}
