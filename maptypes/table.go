package maptypes

import "context"

// Table is one open table of a driver. All methods are called by several
// goroutines at once. A method returns as soon as ctx is done.
type Table interface {
	// Lookup returns the value of r.Key. The value may lie in the table's
	// own read-only memory or in r.Buf, and is valid until r is used again
	// or the table is closed. Errors: ErrNotFound, or one of class ErrRetry
	// or ErrConfig (see Class).
	Lookup(ctx context.Context, r *Request) (value []byte, err error)

	// Close releases what the table holds. It is called once, after the
	// last request has returned.
	Close() error
}

// Updater is implemented by tables that can be changed.
type Updater interface {
	// Update stores r.Value under r.Key. Without FlagDupReplace an existing
	// entry is kept; the answer is then nil with a warning (FlagDupWarn), nil
	// (FlagDupIgnore), or an error. With FlagSyncUpdate, nil means that the
	// change survives a loss of power.
	Update(ctx context.Context, r *Request) error

	// Delete removes r.Key, or returns ErrNotFound. FlagSyncUpdate as above.
	Delete(ctx context.Context, r *Request) error
}

// Sequencer is implemented by tables whose entries can be listed.
type Sequencer interface {
	// Sequence returns the entry that follows c and moves c to it; a zero
	// cursor stands before the first entry. ErrNotFound says that there is
	// no further entry. No transaction or lock outlives the call, so
	// entries may come and go between calls. Key and value are valid until r
	// is used again.
	Sequence(ctx context.Context, r *Request, c *Cursor) (key, value []byte, err error)
}

// Request is one request to a table. It belongs to one goroutine, which may
// use it for one request after the other.
type Request struct {
	// Flags come from the requestor. A driver may change them, as Postfix's
	// drivers do (a hit on a table without trailing NULs clears
	// FlagTry1Null, say); the requestor is told the result.
	Flags Flags

	// Key is the lookup key, without a trailing NUL. Drivers do not change it.
	Key []byte

	// Value is what Update stores, without a trailing NUL.
	Value []byte

	// Buf is room for an answer: a driver appends to Buf[:0] and keeps the
	// grown slice in Buf, so that steady state allocates nothing.
	Buf []byte

	// Trace, unless it is nil, records what a lookup does. A driver asks for
	// it before it makes anything that only a step needs.
	Trace *Trace

	fold []byte // the folded key
}

// Cursor is a position in a sequence.
type Cursor struct {
	// Key is the key of the last entry returned, in the driver's own form.
	// Nil: before the first entry.
	Key []byte
	// Pos is for drivers that number their entries.
	Pos int64
}

// Mode says what a table is opened for.
type Mode int

// The modes of opening a table.
const (
	ReadOnly  Mode = iota // lookup and sequence
	ReadWrite             // also update and delete; the table exists
	Create                // as ReadWrite; the table is created if it is missing
)

// Writable reports whether the mode allows updates.
func (m Mode) Writable() bool { return m != ReadOnly }
