package bdb

import "github.com/proxymapd/proxymapd/maptypes"

// maxLevels is the height of the highest tree.
const maxLevels = 255

// treePage reads a page of the tree into p: one below an inner page of the given
// level, or the root if level is maxLevels+1.
func (v *View) treePage(p *page, id uint32, level int) error {
	if err := v.read(p, id); err != nil {
		return err
	}
	leaf := p.kind() == typeLBtree
	if !leaf && p.kind() != typeIBtree {
		return damaged("page %d is no page of a tree", id)
	}
	// Leaves are on level 1. Every step must lead downwards.
	if got := int(p.level()); leaf != (got == 1) || level <= maxLevels && got != level-1 {
		return damaged("page %d is on level %d of the tree", id, got)
	}
	if leaf && p.count()%2 != 0 {
		return damaged("page %d has a key without a value", id)
	}
	return p.checkIndex()
}

// leafOf reads the leaf on which the first entry of key is or would be, or one
// on the left of it.
func (v *View) leafOf(key []byte) error {
	if err := v.treePage(&v.page, v.m.root, maxLevels+1); err != nil {
		return err
	}
	for v.page.kind() == typeIBtree {
		child, err := v.childOf(key)
		if err != nil {
			return err
		}
		if err := v.treePage(&v.page, child, int(v.page.level())); err != nil {
			return err
		}
	}
	return nil
}

// childOf returns the subtree of the present page that holds key: the last one
// whose least key is not greater. Duplicates may lie on both sides of a least
// key that equals theirs.
func (v *View) childOf(key []byte) (uint32, error) {
	if v.page.count() == 0 {
		return 0, damaged("page %d is empty", v.page.id)
	}
	limit := 1
	if v.m.dups {
		limit = 0
	}
	// What the first key is does not matter.
	low, high := 0, v.page.count()
	for low+1 < high {
		middle := (low + high) / 2
		it, err := v.page.innerItem(middle)
		if err != nil {
			return 0, err
		}
		order, err := v.compare(&it, key)
		if err != nil {
			return 0, err
		}
		if order < limit {
			low = middle
		} else {
			high = middle
		}
	}
	it, err := v.page.innerItem(low)
	return it.child, err
}

// seek returns the index of the first key of the present leaf that is not less
// than key, or the number of entries.
func (v *View) seek(key []byte) (int, error) {
	low, high := 0, v.page.count()/2
	for low < high {
		middle := (low + high) / 2
		it, err := v.page.btreeItem(2 * middle)
		if err != nil {
			return 0, err
		}
		order, err := v.compare(&it, key)
		if err != nil {
			return 0, err
		}
		if order < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return 2 * low, nil
}

func (v *View) getFromBtree(key, dst []byte) ([]byte, error) {
	var c treeCursor
	if err := v.find(&c, key); err != nil {
		return dst, err
	}
	if same, err := v.equal(&c.key, key); !same || err != nil {
		if err == nil {
			err = maptypes.ErrNotFound
		}
		return dst, err
	}
	dst, found, err := v.appendValue(dst, &c.value, 0)
	if err == nil && !found {
		err = maptypes.ErrNotFound
	}
	return dst, err
}

// treeCursor is a place in the leaves: the entry at index of the present page.
type treeCursor struct {
	index      int
	key, value item
	walk       steps
}

// find moves the cursor to the first entry that is not less than key.
func (v *View) find(c *treeCursor, key []byte) (err error) {
	if err := v.leafOf(key); err != nil {
		return err
	}
	if c.index, err = v.seek(key); err != nil {
		return err
	}
	return v.settle(c)
}

// settle moves the cursor on, if it does not stand on an entry, to the next one.
// Pages can be empty, and entries deleted.
func (v *View) settle(c *treeCursor) (err error) {
	for {
		for ; c.index < v.page.count(); c.index += 2 {
			if c.key, err = v.page.btreeItem(c.index); err != nil {
				return err
			}
			if c.value, err = v.page.btreeItem(c.index + 1); err != nil {
				return err
			}
			if !c.key.dead && !c.value.dead {
				return nil
			}
		}
		if v.page.next() == 0 {
			return maptypes.ErrNotFound
		}
		if err := c.walk.take(&v.m); err != nil {
			return err
		}
		if err := v.treePage(&v.page, v.page.next(), 2); err != nil {
			return err
		}
		c.index = 0
	}
}

// nextInBtree finds the entry that follows pos, in the order of the keys. That the
// entry at pos was deleted meanwhile does not matter.
func (v *View) nextInBtree(pos *Position, dst []byte) ([]byte, int, error) {
	var c treeCursor
	if err := v.find(&c, pos.Key); err != nil {
		return dst, 0, err
	}
	if pos.Key == nil {
		return v.treeEntry(pos, &c, dst, 0)
	}
	// Duplicates are entries of the same key, or one entry with a tree.
	for skip := pos.Dup + 1; ; skip-- {
		order, err := v.compare(&c.key, pos.Key)
		if err != nil {
			return dst, 0, err
		}
		if order < 0 { // a sequence would never end
			return dst, 0, damaged("the keys of page %d are out of order", v.page.id)
		}
		if order > 0 {
			return v.treeEntry(pos, &c, dst, 0)
		}
		if c.value.tree != 0 || skip == 0 {
			both, size, err := v.treeEntry(pos, &c, dst, pos.Dup+1)
			if err != maptypes.ErrNotFound {
				return both, size, err
			}
		}
		c.index += 2
		if err := v.settle(&c); err != nil {
			return dst, 0, err
		}
	}
}

// treeEntry returns the entry at the cursor, whose value has the given number
// among those of its key, and moves pos to it.
func (v *View) treeEntry(pos *Position, c *treeCursor, dst []byte, number uint32) ([]byte, int, error) {
	start := len(dst)
	dst, err := v.appendItem(dst, &c.key)
	if err != nil {
		return dst, 0, err
	}
	size, n := len(dst)-start, uint32(0)
	if c.value.tree != 0 {
		n = number
	}
	dst, found, err := v.appendValue(dst, &c.value, n)
	if err != nil || !found {
		if err == nil {
			err = maptypes.ErrNotFound
		}
		return dst[:start], 0, err
	}
	pos.set(dst[start:start+size], v.page.id, c.index)
	pos.Dup = number
	return dst, size, nil
}
