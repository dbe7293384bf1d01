package bdbmap

import (
	"context"
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
)

// table is an open table.
type table struct {
	env   *maptypes.Env
	kind  bdb.Kind
	name  string
	path  string // of the file, which is what messages call the table
	flags maptypes.Flags

	file   *os.File
	shared *sharedLock
	index  *bdb.File
	writer *writer // nil if the table cannot be changed
}

var (
	_ maptypes.Table     = (*table)(nil)
	_ maptypes.Updater   = (*table)(nil)
	_ maptypes.Sequencer = (*table)(nil)
)

func newTable(env *maptypes.Env, kind bdb.Kind, name string, f *os.File, w *writer) *table {
	return &table{
		env: env, kind: kind, name: name, path: name + suffix,
		file: f, shared: newSharedLock(f), index: bdb.NewFile(f, sizeOf(f), kind), writer: w,
	}
}

// sizeOf returns the function that tells the size of a file in bytes.
func sizeOf(f *os.File) func() (int64, error) {
	fd := int(f.Fd())
	return func() (int64, error) {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		return st.Size, err
	}
}

// begin returns a view of the file, and keeps writers out until end.
func (t *table) begin(ctx context.Context) (*bdb.View, error) {
	if t.writer != nil {
		if err := t.writer.flush(); err != nil {
			return nil, err
		}
	}
	if err := t.shared.lock(ctx); err != nil {
		return nil, maptypes.Retryf("lock dictionary: %w", maptypes.SystemError(err))
	}
	v, err := t.index.View()
	if err != nil {
		t.shared.unlock()
	}
	return v, err
}

func (t *table) end(v *bdb.View) {
	t.index.Done(v)
	t.shared.unlock()
}

// check looks whether the file is one of the table's kind.
func (t *table) check() error {
	v, err := t.begin(context.Background())
	if err == nil {
		t.end(v)
	}
	return err
}

// Lookup implements maptypes.Table.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	v, err := t.begin(ctx)
	if err != nil {
		return nil, t.failure("reading", err)
	}
	defer t.end(v)
	value, err := indexed.Lookup(v, r, indexed.Ways(r, t.flags))
	return value, t.failure("reading", err)
}

// Sequence implements maptypes.Sequencer, in the order of the pages of a hash
// table or of the keys of a tree. It goes on where the last entry was if that
// was deleted meanwhile.
func (t *table) Sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	v, err := t.begin(ctx)
	if err != nil {
		return nil, nil, t.failure("seeking", err)
	}
	defer t.end(v)
	pos := unpack(c)
	buf, size, err := v.Next(&pos, r.Buf[:0])
	r.Buf = buf
	if err != nil {
		return nil, nil, t.failure("seeking", err)
	}
	pack(c, &pos)
	return indexed.String(buf[:size]), indexed.String(buf[size:]), nil
}

// A cursor's key is preceded by the other parts of the position.
const positionSize = 10

func pack(c *maptypes.Cursor, pos *bdb.Position) {
	c.Key = binary.LittleEndian.AppendUint32(c.Key[:0], pos.Dup)
	c.Key = binary.LittleEndian.AppendUint32(c.Key, pos.Page)
	c.Key = binary.LittleEndian.AppendUint16(c.Key, pos.Index)
	c.Key = append(c.Key, pos.Key...)
}

func unpack(c *maptypes.Cursor) (pos bdb.Position) {
	if len(c.Key) < positionSize {
		return pos
	}
	return bdb.Position{
		Dup:   binary.LittleEndian.Uint32(c.Key),
		Page:  binary.LittleEndian.Uint32(c.Key[4:]),
		Index: binary.LittleEndian.Uint16(c.Key[8:]),
		Key:   append([]byte{}, c.Key[positionSize:]...),
	}
}

// Update implements maptypes.Updater.
func (t *table) Update(ctx context.Context, r *maptypes.Request) error {
	if t.writer == nil {
		return cannotWrite(t.kind, t.name)
	}
	r.Flags = indexed.DecideNull(r.Flags, t.flags, true)
	key, value := indexed.Stored(r.Flags, r.Key, r.Value)
	exists, err := t.writer.put(ctx, key, value,
		r.Flags&maptypes.FlagDupReplace != 0, r.Flags&maptypes.FlagSyncUpdate != 0)
	if err == nil && exists {
		return indexed.Duplicate(t.env, t.path, r.Flags, r.Key)
	}
	return t.failure("writing", err)
}

// Delete implements maptypes.Updater.
func (t *table) Delete(ctx context.Context, r *maptypes.Request) error {
	if t.writer == nil {
		return cannotWrite(t.kind, t.name)
	}
	var keys [][]byte
	var unused []maptypes.Flags // what a hit on the key clears
	try := indexed.Ways(r, t.flags)
	if try&maptypes.FlagTry1Null != 0 {
		key, _ := indexed.Stored(maptypes.FlagTry1Null, r.Key, nil)
		keys, unused = append(keys, key), append(unused, maptypes.FlagTry0Null)
	}
	if try&maptypes.FlagTry0Null != 0 {
		keys, unused = append(keys, r.Key), append(unused, maptypes.FlagTry1Null)
	}
	found, err := t.writer.remove(ctx, keys, r.Flags&maptypes.FlagSyncUpdate != 0)
	switch {
	case err != nil:
		return t.failure("deleting from", err)
	case found < 0:
		return maptypes.ErrNotFound
	}
	r.Flags &^= unused[found]
	return nil
}

// Close implements maptypes.Table.
func (t *table) Close() error {
	var err error
	if t.writer != nil {
		err = t.writer.close()
	}
	return errors.Join(err, t.file.Close())
}

// failure gives an error its text and class: a file that contradicts itself, or
// that is none, has to be made anew.
func (t *table) failure(doing string, err error) error {
	var foreign bdb.ForeignError
	switch {
	case err == nil || err == maptypes.ErrNotFound:
		return err
	case errors.Is(err, bdb.ErrDamaged), errors.As(err, &foreign), maptypes.Class(err) == maptypes.ErrConfig:
		return maptypes.Configf("error %s %s: %w", doing, t.path, err)
	default:
		return maptypes.Retryf("error %s %s: %w", doing, t.path, maptypes.SystemError(err))
	}
}
