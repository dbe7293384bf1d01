package cdb

import (
	"bytes"
	"context"
	"errors"
	"os"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// table is an open table.
type table struct {
	reader
	memory
	file  *os.File
	label string
	flags maptypes.Flags
}

var (
	_ maptypes.Table     = (*table)(nil)
	_ maptypes.Sequencer = (*table)(nil)
)

// Lookup implements maptypes.Table. As in Postfix nothing is found if r.Flags
// allow neither keys with nor without a trailing NUL.
func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	value, err := indexed.Lookup(t, r, r.Flags)
	return value, t.failed("reading", err)
}

// Sequence implements maptypes.Sequencer, as Postfix 3.11 does: in the order of
// the file. The cursor is the position and the key of the last record.
func (t *table) Sequence(_ context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	pos, err := t.after(r, c)
	var rec record
	buf := r.Buf[:0]
	if err == nil {
		rec, buf, err = t.at(pos, buf)
	}
	size := len(buf)
	if err == nil {
		buf, err = t.appendAt(buf, rec.valuePos(), rec.value)
	}
	r.Buf = buf
	if err != nil {
		if err == maptypes.ErrNotFound {
			*c = maptypes.Cursor{}
		}
		return nil, nil, t.failed("seeking", err)
	}
	c.Pos, c.Key = rec.pos, append(c.Key[:0], buf[:size]...)
	return indexed.String(buf[:size]), indexed.String(buf[size:]), nil
}

// after returns the position behind the cursor's record. In a file that was made
// anew that is behind the record that has the key now.
func (t *table) after(r *maptypes.Request, c *maptypes.Cursor) (int64, error) {
	if c.Pos == 0 {
		return headerSize, nil
	}
	rec, key, err := t.at(c.Pos, r.Buf[:0])
	r.Buf = key
	if err == nil && bytes.Equal(key, c.Key) {
		return rec.next(), nil
	}
	rec, err = t.find(c.Key)
	return rec.next(), err
}

// Close implements maptypes.Table.
func (t *table) Close() error { return errors.Join(t.unmap(), t.file.Close()) }

// failed gives an error of reading its class and text.
func (t *table) failed(doing string, err error) error {
	switch {
	case err == nil || err == maptypes.ErrNotFound:
		return err
	case err == errDamaged:
		return maptypes.Configf("error %s %s: %w", doing, t.label, err)
	default:
		return maptypes.Retryf("error %s %s: %w", doing, t.label, maptypes.SystemError(err))
	}
}
