package pagetree

import (
	"errors"
	"fmt"
	"io"
)

// MaxDepth is the height of the highest tree that is read. LMDB's own limit
// is the same.
const MaxDepth = 32

// HeaderSize is the size in bytes of the header of a page, in both formats.
const HeaderSize = 16

// NoRoot is the root of an empty tree.
const NoRoot = ^uint64(0)

// ErrDamaged is wrapped by errors that say that the file contradicts itself.
var ErrDamaged = errors.New("database is damaged")

// Damaged returns an ErrDamaged with the details.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Buffer is room for the two meta pages, as far as they are used.
type Buffer [320]byte

// Foreign is the error of a file of another kind, with the text of the format's
// library. It counts as ErrDamaged.
type Foreign string

func (e Foreign) Error() string { return string(e) }

// Is implements the interface of errors.Is.
func (e Foreign) Is(target error) bool { return target == ErrDamaged }

// Snapshot is the last committed state of a file, from its meta pages.
type Snapshot struct {
	Txn      uint64 // the number of the transaction that wrote it
	PageSize int    // bytes
	Pages    uint64 // page numbers are below this
	Main     Place  // the tree, or where the format looks for it
	Free     Place  // the free pages, in the way of the format
}

// Format is one file format.
type Format interface {
	// Snapshot reads the meta pages. The error is ErrDamaged, the format's
	// own error for a file of another kind, or one of reading. buf is room.
	Snapshot(src io.ReaderAt, buf *Buffer) (Snapshot, error)

	// Span returns how many pages the page with the given header occupies,
	// after checking that it is page number id.
	Span(header []byte, id uint64) (uint64, error)

	// Parse returns the node that lies in a complete page.
	Parse(page []byte) (Node, error)

	// Tree returns the tree of entries. It may have to look for it.
	Tree(v *View) (Root, error)

	// Check reports what is wrong with the rest of the file: the free
	// pages, and the tree around the tree of entries. It marks the pages it
	// finds.
	Check(v *View, m *Marks) error

	// Big checks the header of page id, where a value outside the tree
	// starts that has so many bytes and occupies so many pages.
	Big(header []byte, id uint64, size int, pages uint64) error
}

// Root is where a tree starts: a page, or (bbolt) a page that is stored as a
// value of another tree.
type Root struct {
	Place

	// Inline, if not nil, is the page itself.
	Inline []byte
}

// Place is the root of a tree in the file.
type Place struct {
	Page    uint64 // or NoRoot
	Counted bool   // the next two are known
	Depth   int    // levels
	Entries uint64
}

// Node is one node of a tree.
type Node struct {
	Leaf bool
	N    int // number of entries
	// Entry returns entry i of page, after checking that it lies in it. For
	// a branch the first key may be missing: it is not used.
	Entry func(page []byte, i int) (Entry, error)
}

// Entry is one entry of a node.
type Entry struct {
	Key   []byte
	Child uint64 // in a branch: the page below
	Value []byte // in a leaf: the value
	Big   uint64 // in a leaf: if not 0, the page where the value starts
	Size  int    // the size of a value outside the tree
	Sub   bool   // in a leaf: the value is not a value but another tree
}
