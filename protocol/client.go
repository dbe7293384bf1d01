package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// Client asks a proxymap server, Postfix's or ours, of any version.
//
// It holds one connection, opened when needed, and one request at a time is
// under way: callers wait for each other. It is safe for concurrent use.
//
// A request that got no usable reply is sent again on a new connection, as
// Postfix's client does; an update, too, because the update that was perhaps
// done already has the same effect twice. A deletion that was done already is
// then answered with ErrNoKey, and a sequence may skip an entry.
type Client struct {
	opt ClientOptions

	turn    chan struct{} // holds a token while somebody uses what is below
	stream  *stream
	dialect Dialect // what the server has been found to speak
	closed  bool
}

// NewClient makes a client. It does not connect yet.
func NewClient(opt ClientOptions) *Client {
	return &Client{opt: opt.withDefaults(), turn: make(chan struct{}, 1)}
}

// Open asks for a table and returns its flags (DICT_FLAG_*); flags are those
// with which the client wants it.
func (c *Client) Open(ctx context.Context, table string, flags uint32) (uint32, error) {
	r, err := c.Do(ctx, Request{Kind: Open, Table: table, InstanceFlags: flags, Flags: flags})
	return r.Flags, err
}

// Lookup looks up a key. The reply has the value and the table's flags after
// the lookup.
func (c *Client) Lookup(ctx context.Context, table string, instanceFlags, flags uint32, key []byte) (Reply, error) {
	return c.Do(ctx, Request{Kind: Lookup, Table: table, InstanceFlags: instanceFlags, Flags: flags, Key: key})
}

// Explain is Lookup with a Trace in the reply. Postfix's servers do not have it:
// they answer with ErrBad, and so does one of ours that has it switched off.
func (c *Client) Explain(ctx context.Context, table string, instanceFlags, flags uint32, key []byte) (Reply, error) {
	return c.Do(ctx, Request{Kind: Explain, Table: table, InstanceFlags: instanceFlags, Flags: flags, Key: key})
}

// Update stores a value for a key.
func (c *Client) Update(ctx context.Context, table string, instanceFlags, flags uint32, key, value []byte) (Reply, error) {
	return c.Do(ctx, Request{Kind: Update, Table: table, InstanceFlags: instanceFlags, Flags: flags, Key: key, Value: value})
}

// Delete removes a key.
func (c *Client) Delete(ctx context.Context, table string, instanceFlags, flags uint32, key []byte) (Reply, error) {
	return c.Do(ctx, Request{Kind: Delete, Table: table, InstanceFlags: instanceFlags, Flags: flags, Key: key})
}

// Sequence returns the first entry of a table (SequenceFirst) or the one after
// that of the previous request (SequenceNext).
func (c *Client) Sequence(ctx context.Context, table string, instanceFlags, flags uint32, function int) (Reply, error) {
	return c.Do(ctx, Request{Kind: Sequence, Table: table, InstanceFlags: instanceFlags, Flags: flags, Function: function})
}

// Close closes the connection. Later requests fail with net.ErrClosed.
func (c *Client) Close() error {
	c.turn <- struct{}{}
	defer c.release()
	c.closed = true
	c.disconnect()
	return nil
}

// Do sends a request and returns the reply; q.Dialect does not matter. A status
// other than OK is an *Error beside the reply, and so is, without a reply, that
// the client gave up. The error is ctx's when ctx ended first, and ErrNUL when
// q cannot be sent.
func (c *Client) Do(ctx context.Context, q Request) (Reply, error) {
	if _, err := AppendRequest(nil, &q); err != nil {
		return Reply{}, fmt.Errorf("%s request: %w", q.Kind, err)
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return Reply{}, context.Cause(ctx)
	}
	defer c.release()

	start := time.Now()
	for try := 1; ; try++ {
		if c.closed {
			return Reply{}, c.newError(&q, ErrConnection, net.ErrClosed)
		}
		r, err := c.attempt(ctx, q)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, ErrConnection) && !errors.Is(err, ErrUnexpectedStatus) {
			return r, err
		}
		c.disconnect()
		if ctx.Err() != nil {
			return Reply{}, context.Cause(ctx)
		}
		c.warn(try, &q, err)
		if try >= c.opt.MaxTries || time.Since(start)+c.opt.Pause > c.opt.RetryTime {
			return Reply{}, err
		}
		if err := pause(ctx, c.opt.Pause); err != nil {
			return Reply{}, err
		}
	}
}

func (c *Client) release() { <-c.turn }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// warn says what Postfix says before it tries again. A server that goes away
// once, or is not there yet, is normal.
func (c *Client) warn(try int, q *Request, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Reason != ErrConnection {
		c.opt.Warn(err.Error())
		return
	}
	normal := errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, fs.ErrNotExist)
	if try > 1 || !normal {
		c.opt.Warn(fmt.Sprintf("dict_proxy_%s: service %s: %v", q.Kind, c.opt.Service, e.Cause))
	}
}

// attempt asks once in the dialect that the server is believed to speak and,
// if the answer is that of a server that did not understand, in the other.
func (c *Client) attempt(ctx context.Context, q Request) (Reply, error) {
	first := c.dialect
	if first == DialectUnknown {
		first = Dialect311
	}
	r, form, err := c.ask(ctx, &q, first)
	if err != nil {
		return Reply{}, err
	}
	if r.Status != StatusBad || form == first {
		c.dialect = first
		return r, c.statusError(&q, r.Status)
	}

	// A Postfix server that stops reading in the middle of a request takes the
	// rest of a long one for a request: that connection is not used again.
	c.disconnect()
	if q.Kind == Explain { // who has it knows both forms
		return r, c.statusError(&q, r.Status)
	}
	second := Dialect37
	if first == Dialect37 {
		second = Dialect311
	}
	r, form, err = c.ask(ctx, &q, second)
	if err != nil {
		return Reply{}, err
	}
	if r.Status != StatusBad || form == second {
		c.dialect = second
	}
	return r, c.statusError(&q, r.Status)
}

// ask exchanges the request for a reply on the connection that there is or on a
// new one. The server may have closed the one that there is at any time.
func (c *Client) ask(ctx context.Context, q *Request, d Dialect) (Reply, Dialect, error) {
	sent := *q
	sent.Dialect = d
	if d == Dialect37 {
		sent = in37(sent)
	}
	if c.stream != nil && c.stream.stale() {
		c.disconnect()
	}
	reused := c.stream != nil
	r, form, err := c.exchange(ctx, &sent)
	if err != nil && reused && c.stream != nil && c.stream.unanswered(err) && ctx.Err() == nil {
		c.disconnect()
		r, form, err = c.exchange(ctx, &sent)
	}
	if err == nil && r.Status != StatusBad && form != DialectUnknown && form != d {
		err = fmt.Errorf("reply in the form of Postfix %s to a request in the form of %s", form, d)
	}
	if err != nil {
		return Reply{}, form, c.newError(q, ErrConnection, err)
	}
	if d == Dialect37 {
		from37(q, &r)
	}
	return r, form, nil
}
