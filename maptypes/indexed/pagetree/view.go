package pagetree

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// View is one state of a file, and the room for reading it. It is used by one
// goroutine.
type View struct {
	Snapshot
	src    io.ReaderAt
	format Format
	file   *File  // nil in a check
	state  *state // nil in a check

	fromFile bool             // something was read that was not in memory
	loaded   [MaxDepth]uint64 // which pages that was, of those in pages; 0 for none

	meta   Buffer
	stat   unix.Stat_t
	header [HeaderSize]byte
	pages  [MaxDepth][]byte // one for each level
}

// ReadAt fills p from the file. That the file ends before is ErrDamaged.
func (v *View) ReadAt(p []byte, offset int64) error {
	v.fromFile = true
	_, err := v.src.ReadAt(p, offset)
	if errors.Is(err, io.EOF) {
		return Damaged("the file ends before offset %d", offset+int64(len(p)))
	}
	return err
}

// offset returns where n pages from id on start, if they can exist.
func (v *View) offset(id, n uint64) (int64, error) {
	if id < 2 || id >= v.Pages || n == 0 || n > v.Pages-id {
		return 0, Damaged("page %d (of %d) does not exist", id, v.Pages)
	}
	return int64(id) * int64(v.PageSize), nil
}

// load reads the page id for the given level of the tree.
func (v *View) load(id uint64, level int) (page []byte, span uint64, err error) {
	offset, err := v.offset(id, 1)
	if err != nil {
		return nil, 0, err
	}
	v.loaded[level] = 0
	page = grow(v.pages[level], v.PageSize)
	v.pages[level] = page
	if err := v.ReadAt(page, offset); err != nil {
		return nil, 0, err
	}
	span, err = v.format.Span(page[:HeaderSize], id)
	if err != nil || span == 1 {
		return page, span, err
	}
	if _, err := v.offset(id, span); err != nil {
		return nil, 0, err
	}
	// The last byte is read first: what the file does not have is not made
	// room for.
	size := int(span) * v.PageSize
	if err := v.ReadAt(v.header[:1], offset+int64(size)-1); err != nil {
		return nil, 0, err
	}
	page = grow(page, size)
	v.pages[level] = page
	return page, span, v.ReadAt(page[v.PageSize:], offset+int64(v.PageSize))
}

// node loads and parses a node: the root at level 0, else page id.
func (v *View) node(root Root, id uint64, level int) ([]byte, Node, error) {
	if level >= MaxDepth {
		return nil, Node{}, Damaged("the tree is too deep")
	}
	page := root.Inline
	if level > 0 || page == nil {
		if page := v.state.kept(id); page != nil {
			n, err := v.format.Parse(page)
			return page, n, err
		}
		var err error
		if page, _, err = v.load(id, level); err != nil {
			return nil, Node{}, err
		}
	}
	n, err := v.format.Parse(page)
	if err == nil && len(page) == v.PageSize && (level > 0 || root.Inline == nil) {
		v.loaded[level] = id
	}
	if err == nil && n.N == 0 && level > 0 {
		err = Damaged("page %d is empty", id)
	}
	return page, n, err
}

// grow returns b with length n, and its contents.
func grow(b []byte, n int) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	bigger := make([]byte, n)
	copy(bigger, b)
	return bigger
}

// search returns the index of the first entry of a leaf that is not less than
// key, and whether it is equal; or of the entry of a branch below which key
// belongs.
func search(n Node, page, key []byte) (i int, e Entry, equal bool, err error) {
	lo, hi := 0, n.N
	if !n.Leaf {
		lo = 1
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		e, err = n.Entry(page, mid)
		if err != nil {
			return 0, e, false, err
		}
		c := bytes.Compare(e.Key, key)
		if c == 0 {
			return mid, e, true, nil
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if n.Leaf {
		return lo, Entry{}, false, nil
	}
	e, err = n.Entry(page, lo-1)
	return lo - 1, e, false, err
}

// Find looks for key below root. The entry is valid until the view is used
// again.
func (v *View) Find(root Root, key []byte) (e Entry, found bool, err error) {
	if root.Inline == nil && root.Page == NoRoot {
		return Entry{}, false, nil
	}
	id := root.Page
	for level := 0; ; level++ {
		page, n, err := v.node(root, id, level)
		if err != nil {
			return Entry{}, false, err
		}
		if !n.Leaf && n.N == 0 {
			return Entry{}, false, Damaged("page %d is empty", id)
		}
		_, e, equal, err := search(n, page, key)
		if err != nil {
			return Entry{}, false, err
		}
		if n.Leaf {
			return e, equal, nil
		}
		id = e.Child
	}
}

// After looks for the first entry whose key is greater than key, or for the
// first of all if key is nil. The entry is valid until the view is used again.
func (v *View) After(root Root, key []byte) (e Entry, found bool, err error) {
	if root.Inline == nil && root.Page == NoRoot {
		return Entry{}, false, nil
	}
	return v.after(root, root.Page, 0, key)
}

func (v *View) after(root Root, id uint64, level int, key []byte) (Entry, bool, error) {
	page, n, err := v.node(root, id, level)
	if err != nil {
		return Entry{}, false, err
	}
	i := 0
	if key != nil && n.N > 0 {
		var equal bool
		if i, _, equal, err = search(n, page, key); err != nil {
			return Entry{}, false, err
		}
		if n.Leaf && equal {
			i++
		}
	}
	for ; i < n.N; i++ {
		e, err := n.Entry(page, i)
		if err != nil || n.Leaf {
			return e, err == nil, err
		}
		// At most the first of them has no greater key: others are not empty
		// and hold greater keys only. (If not, the file is damaged, and the
		// deeper call has said so or answers some entry.)
		e, found, err := v.after(root, e.Child, level+1, key)
		if err != nil || found {
			return e, found, err
		}
		key = nil
	}
	return Entry{}, false, nil
}

// AppendValue appends the value of an entry to dst.
func (v *View) AppendValue(dst []byte, e *Entry) ([]byte, error) {
	if e.Sub {
		return dst, Damaged("an entry holds another tree")
	}
	if e.Big == 0 {
		return append(dst, e.Value...), nil
	}
	offset, err := v.bigValue(e)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = grow(dst, start+e.Size)
	return dst, v.ReadAt(dst[start:], offset)
}

// bigValue returns where a value outside the tree starts in the file, which
// reaches up to its end.
func (v *View) bigValue(e *Entry) (int64, error) {
	offset, err := v.offset(e.Big, v.bigSpan(e))
	if err != nil {
		return 0, err
	}
	if err := v.ReadAt(v.header[:], offset); err != nil {
		return 0, err
	}
	if err := v.format.Big(v.header[:], e.Big, e.Size, v.bigSpan(e)); err != nil {
		return 0, err
	}
	offset += HeaderSize
	if e.Size > 0 {
		if err := v.ReadAt(v.header[:1], offset+int64(e.Size)-1); err != nil {
			return 0, err
		}
	}
	return offset, nil
}

// bigSpan returns how many pages a value outside the tree occupies.
func (v *View) bigSpan(e *Entry) uint64 {
	size := uint64(v.PageSize)
	return (uint64(e.Size) + HeaderSize + size - 1) / size
}

// Page reads a page that is not part of a tree. It is valid until the view is
// used again.
func (v *View) Page(id uint64) (page []byte, span uint64, err error) {
	return v.load(id, 0)
}
