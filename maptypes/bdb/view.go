package bdb

import (
	"errors"
	"io"
	"sync"
)

// File reads one file. Its methods may be called by several goroutines at once.
type File struct {
	src   io.ReaderAt
	size  func() (int64, error)
	kind  Kind
	views sync.Pool
}

// NewFile returns a File that reads src, whose size in bytes the function tells.
// Both remain the caller's.
func NewFile(src io.ReaderAt, size func() (int64, error), kind Kind) *File {
	return &File{src: src, size: size, kind: kind}
}

// View is a file that does not change. It belongs to one goroutine.
type View struct {
	src io.ReaderAt
	m   meta

	page     page   // of the table
	overflow page   // of an entry that exceeds its page
	dup      page   // of a tree of duplicates
	scratch  []byte // a key on overflow pages
	first    [metaSize]byte
}

// View reads the first page. The caller keeps writers out until Done. Errors:
// ForeignError, ErrDamaged or one of reading.
func (f *File) View() (*View, error) {
	v, _ := f.views.Get().(*View)
	if v == nil {
		v = &View{src: f.src}
	}
	if err := v.begin(f); err != nil {
		f.views.Put(v)
		return nil, err
	}
	return v, nil
}

func (v *View) begin(f *File) error {
	size, err := f.size()
	if err != nil {
		return err
	}
	n, err := v.src.ReadAt(v.first[:], 0)
	if n < len(v.first) {
		if err == nil || errors.Is(err, io.EOF) {
			err = foreign("a file of %d bytes", n)
		}
		return err
	}
	return v.m.parse(v.first[:], f.kind, size)
}

// Done gives the view back.
func (f *File) Done(v *View) { f.views.Put(v) }

// Get appends the value of key, or the first of several, to dst. Errors:
// maptypes.ErrNotFound, ErrDamaged or one of reading.
func (v *View) Get(key, dst []byte) ([]byte, error) {
	if v.m.kind == Hash {
		return v.getFromHash(key, dst)
	}
	return v.getFromBtree(key, dst)
}

// Position is the place of an entry in a sequence. The zero position is before
// the first entry.
type Position struct {
	Key   []byte // nil: before the first entry
	Dup   uint32 // which of the values of the key, from 0
	Page  uint32 // where the key was found: in a hash table, what follows
	Index uint16 // a deleted entry moves into its place
}

// set moves the position to the first value of an entry.
func (pos *Position) set(key []byte, page uint32, index int) {
	if pos.Key == nil {
		pos.Key = []byte{} // also at the entry of an empty key
	}
	pos.Key = append(pos.Key[:0], key...)
	pos.Dup, pos.Page, pos.Index = 0, page, uint16(index)
}

// Next appends the key and the value of the entry that follows pos to dst, and
// moves pos to it; size is the size of the key in bytes. At the end of the
// sequence pos stays where it is. Errors as for Get.
func (v *View) Next(pos *Position, dst []byte) (both []byte, size int, err error) {
	if v.m.kind == Hash {
		return v.nextInHash(pos, dst)
	}
	return v.nextInBtree(pos, dst)
}
