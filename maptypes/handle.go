package maptypes

import (
	"context"
	"sync"
	"sync/atomic"
)

// Handle is an open table with the layers that every table gets. Its methods
// may be called by several goroutines at once, except Close.
type Handle struct {
	spec      string // "type:name" as it was opened
	env       *Env
	open      func() (*instance, watch, error)
	flags     atomic.Uint32 // of a new instance
	surrogate bool          // the first attempt to open the table failed

	cur atomic.Pointer[instance] // nil while the table cannot be opened

	mu     sync.Mutex
	reload *reload // the load in progress, or nil
	down   outage  // why there is no instance
	failed watch   // the state of the files that could not be loaded
	cursor Cursor  // where the last sequence request of anybody stopped
}

// Spec returns "type:name" as the table was opened.
func (h *Handle) Spec() string { return h.spec }

// Label returns what log lines call the table (see Opened.Label).
func (h *Handle) Label() string {
	if in := h.cur.Load(); in != nil {
		return in.layer.label
	}
	return h.spec
}

// Flags returns the flags of a new instance (Postfix: dict->flags after
// dict_open): the caller's and those the driver sets. FlagSurrogate is set when
// the table could not be opened.
func (h *Handle) Flags() Flags { return Flags(h.flags.Load()) }

// Lookup is Table.Lookup behind the layers. In UTF-8 mode a key that is not
// valid UTF-8 is not found, and a value that is not is ErrConfig.
func (h *Handle) Lookup(ctx context.Context, r *Request) (value []byte, err error) {
	if r.Trace != nil {
		return h.explain(ctx, r)
	}
	return h.answer(ctx, r)
}

// explain is answer with a trace.
func (h *Handle) explain(ctx context.Context, r *Request) (value []byte, err error) {
	lookAgain()
	depth := r.Trace.begin(h.Spec(), "lookup of %s", Quote(r.Key))
	value, err = h.answer(WithTrace(ctx, r.Trace), r)
	r.Trace.endAll(depth, Outcome(value, err))
	return value, err
}

// answer answers a lookup from the table as it is now.
func (h *Handle) answer(ctx context.Context, r *Request) (value []byte, err error) {
	in, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer in.release()
	asked := r.Flags
	key, flags, ok := h.enter(in, r)
	if r.Trace != nil {
		in.layer.trace(r, key, asked, ok)
	}
	if !ok {
		in.layer.leave(r, key, flags)
		return nil, ErrNotFound
	}
	value, err = h.lookup(ctx, in, r)
	in.layer.leave(r, key, flags)
	if err == nil && !in.layer.checkValue(key, value) {
		if r.Trace != nil {
			r.Trace.Result("configuration error", "value %s: %s", Quote(value), notUTF8)
		}
		return nil, ErrConfig
	}
	return value, err
}

func (h *Handle) lookup(ctx context.Context, in *instance, r *Request) (value []byte, err error) {
	defer h.env.Contain(in.layer.label, "lookup", &err)
	return in.table.Lookup(ctx, r)
}

// Update is Updater.Update behind the layers. In UTF-8 mode a key or value that
// is not valid UTF-8 is ErrConfig: an OK would be a lie.
func (h *Handle) Update(ctx context.Context, r *Request) error {
	in, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer in.release()
	defer lookAgain()
	u, ok := in.table.(Updater)
	if !ok {
		return unsupported(in, "update")
	}
	key, flags, ok := h.enter(in, r)
	defer in.layer.leave(r, key, flags)
	if !ok || !in.layer.checkValue(key, r.Value) {
		return ErrConfig
	}
	return h.guarded(in, "update", func() error { return u.Update(ctx, r) })
}

// Delete is Updater.Delete behind the layers. In UTF-8 mode a key that is not
// valid UTF-8 cannot be there, and nil is returned as Postfix does.
func (h *Handle) Delete(ctx context.Context, r *Request) error {
	in, err := h.acquire(ctx)
	if err != nil {
		return err
	}
	defer in.release()
	defer lookAgain()
	u, ok := in.table.(Updater)
	if !ok {
		return unsupported(in, "delete")
	}
	key, flags, ok := h.enter(in, r)
	defer in.layer.leave(r, key, flags)
	if !ok {
		return nil
	}
	return h.guarded(in, "delete", func() error { return u.Delete(ctx, r) })
}

// Sequence is Sequencer.Sequence behind the layers, which leave keys and values
// as they are.
func (h *Handle) Sequence(ctx context.Context, r *Request, c *Cursor) (key, value []byte, err error) {
	in, err := h.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer in.release()
	s, ok := in.table.(Sequencer)
	if !ok {
		return nil, nil, unsupported(in, "sequence")
	}
	err = h.guarded(in, "sequence", func() error {
		key, value, err = s.Sequence(ctx, r, c)
		return err
	})
	return key, value, err
}

// LastCursor returns a copy of the cursor that SaveCursor kept. A client that
// was disconnected between two sequence requests goes on from there, as it
// does in Postfix, where the cursor belongs to the table.
func (h *Handle) LastCursor() Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Cursor{Key: append([]byte(nil), h.cursor.Key...), Pos: h.cursor.Pos}
}

// SaveCursor keeps a copy of c for LastCursor.
func (h *Handle) SaveCursor(c *Cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cursor.Key = append(h.cursor.Key[:0], c.Key...)
	h.cursor.Pos = c.Pos
}

// Close closes the table. No other method may be running or be called later.
func (h *Handle) Close() error {
	if in := h.cur.Swap(nil); in != nil {
		in.release()
	}
	return nil
}

// enter is layer.enter. A requestor that was told the flags of a stand-in does
// not know that the table's keys are fixed strings.
func (h *Handle) enter(in *instance, r *Request) (key []byte, flags Flags, ok bool) {
	if h.surrogate && in.flags&FlagFixed != 0 {
		r.Flags |= FlagFixed
	}
	return in.layer.enter(r)
}

// unsupported is the answer to a request that this type of table cannot serve.
func unsupported(in *instance, operation string) error {
	return Configf("table %s: %s operation is not supported", in.layer.label, operation)
}

// guarded calls f and turns a panic into an error.
func (h *Handle) guarded(in *instance, operation string, f func() error) (err error) {
	defer h.env.Contain(in.layer.label, operation, &err)
	return f()
}
