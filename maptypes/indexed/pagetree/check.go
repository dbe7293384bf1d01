package pagetree

import (
	"bytes"
	"io"
)

// Check reads the whole file and returns an ErrDamaged if it is not safe to let
// the format's library change it: a page that is used twice or both used and
// free, a page out of place, keys out of order, entries that overlap their
// page. Nobody may write to the file meanwhile.
func Check(src io.ReaderAt, size int64, format Format) (Snapshot, error) {
	v := &View{src: src, format: format}
	s, err := format.Snapshot(src, &v.meta)
	if err != nil {
		return s, err
	}
	v.Snapshot = s
	m := NewMarks(size / int64(s.PageSize))
	if err := format.Check(v, m); err != nil {
		return s, err
	}
	root, err := format.Tree(v)
	if err != nil {
		return s, err
	}
	root.Inline = bytes.Clone(root.Inline)
	return s, v.CheckTree(root, m, bytes.Compare, s.checkEntry)
}

// checkEntry refuses entries that no reader understands.
func (s *Snapshot) checkEntry(e *Entry) error {
	if e.Sub {
		return Damaged("an entry holds another tree")
	}
	return nil
}

// CheckTree checks the tree below root and marks its pages. The function each is
// called with every entry. Depth and number of entries are checked if the root
// tells them.
func (v *View) CheckTree(root Root, m *Marks, compare func(a, b []byte) int, each func(*Entry) error) error {
	w := walk{view: v, marks: m, root: root, compare: compare, each: each}
	if root.Inline != nil || root.Page != NoRoot {
		if err := w.node(root.Page, 0, nil, nil); err != nil {
			return err
		}
	}
	if root.Counted && (w.depth != root.Depth || w.entries != root.Entries) {
		return Damaged("a tree has %d levels and %d entries instead of %d and %d",
			w.depth, w.entries, root.Depth, root.Entries)
	}
	return nil
}

// walk is one pass through a tree.
type walk struct {
	view    *View
	marks   *Marks
	root    Root
	compare func(a, b []byte) int
	each    func(*Entry) error
	depth   int // of the first leaf
	entries uint64
}

// node checks the node on page id and all below it. Its keys must not be less
// than low, and must be less than high, if these are not nil.
func (w *walk) node(id uint64, level int, low, high []byte) error {
	page, n, err := w.view.node(w.root, id, level)
	if err != nil {
		return err
	}
	if level > 0 || w.root.Inline == nil {
		if err := w.marks.Use(id, uint64(len(page)/w.view.PageSize)); err != nil {
			return err
		}
	}
	if n.N == 0 && w.root.Counted || n.N < 2 && !n.Leaf {
		return Damaged("page %d has %d entries", id, n.N)
	}
	if n.Leaf {
		return w.leaf(page, n, level, low, high)
	}
	child, err := n.Entry(page, 0)
	if err != nil {
		return err
	}
	for i := 1; i < n.N; i++ {
		next, err := n.Entry(page, i)
		if err != nil {
			return err
		}
		if !w.inOrder(low, next.Key, high) {
			return Damaged("the keys of page %d are out of order", id)
		}
		if err := w.node(child.Child, level+1, low, next.Key); err != nil {
			return err
		}
		low, child = next.Key, next
	}
	return w.node(child.Child, level+1, low, high)
}

// leaf checks a leaf and the values that it refers to.
func (w *walk) leaf(page []byte, n Node, level int, low, high []byte) error {
	if w.depth == 0 {
		w.depth = level + 1
	}
	if w.depth != level+1 {
		return Damaged("the leaves are on different levels")
	}
	w.entries += uint64(n.N)
	for i := range n.N {
		e, err := n.Entry(page, i)
		if err != nil {
			return err
		}
		if !w.inOrder(low, e.Key, high) || i > 0 && bytes.Equal(low, e.Key) {
			return Damaged("keys are out of order")
		}
		low = e.Key
		if err := w.each(&e); err != nil {
			return err
		}
		if e.Big == 0 {
			continue
		}
		if _, err := w.view.bigValue(&e); err != nil {
			return err
		}
		if err := w.marks.Use(e.Big, w.view.bigSpan(&e)); err != nil {
			return err
		}
	}
	return nil
}

// inOrder reports whether low <= key < high.
func (w *walk) inOrder(low, key, high []byte) bool {
	return (low == nil || w.compare(low, key) <= 0) && (high == nil || w.compare(key, high) < 0)
}
