package bdb

import (
	"cmp"
	"slices"
)

// Check reads the whole file and returns an ErrDamaged if it is not safe to let
// libdb change it: a page that is used twice or is out of place, entries that
// overlap, keys out of order or in the wrong bucket. Files with duplicate keys
// are refused, because tables of Postfix have none.
func (v *View) Check() error {
	if v.m.dups {
		return damaged("the file is one for duplicate keys")
	}
	if v.m.last != v.m.pages-1 {
		return damaged("%d pages instead of %d", v.m.pages, int64(v.m.last)+1)
	}
	c := &checker{v: v, used: make([]uint64, v.m.pages/64+1), heads: map[uint32]bool{}}
	if err := c.freeList(); err != nil {
		return err
	}
	if v.m.kind == Hash {
		return c.hash()
	}
	err := c.node(v.m.root, maxLevels+1, nil, nil)
	if err == nil && c.leaf != 0 && c.leafNext != 0 {
		err = damaged("leaf %d is not the last one", c.leaf)
	}
	return err
}

// checker is one pass through a file.
type checker struct {
	v     *View
	used  []uint64        // a bit for each page
	heads map[uint32]bool // first overflow pages of keys: whether a leaf refers to it

	leaf, leafNext uint32 // of a btree: the leaf before, and what it says is next
}

// use marks a page as used.
func (c *checker) use(id uint32) error {
	if id == 0 || id >= c.v.m.pages {
		return damaged("there is no page %d", id)
	}
	word, bit := &c.used[id/64], uint64(1)<<(id%64)
	if *word&bit != 0 {
		return damaged("page %d is used twice", id)
	}
	*word |= bit
	return nil
}

// freeList marks the free pages.
func (c *checker) freeList() error {
	p := &c.v.page
	for id := c.v.m.free; id != 0; id = p.next() {
		if err := c.use(id); err != nil {
			return err
		}
		if err := c.v.read(p, id); err != nil {
			return err
		}
		if p.kind() != typeInvalid {
			return damaged("page %d is not free", id)
		}
	}
	return nil
}

// overflow marks the pages of an entry that exceeds its page. Inner pages share
// those of keys with leaves.
func (c *checker) overflow(it *item, inner bool) error {
	if it.set != nil || it.tree != 0 {
		return damaged("an entry has duplicates")
	}
	if it.over == 0 {
		return nil
	}
	byLeaf, seen := c.heads[it.over]
	if seen && byLeaf && !inner {
		return damaged("page %d is used twice", it.over)
	}
	c.heads[it.over] = byLeaf || !inner
	if seen {
		return nil
	}
	p := &c.v.overflow
	for id, left := it.over, int64(it.size); left > 0; id = p.next() {
		if err := c.use(id); err != nil {
			return err
		}
		if err := c.v.read(p, id); err != nil {
			return err
		}
		n := p.dataSize()
		if p.kind() != typeOverflow || n == 0 || int64(n) > left || headerSize+n > len(p.b) {
			return damaged("page %d does not continue an entry", id)
		}
		if left -= int64(n); left == 0 && p.next() != 0 {
			return damaged("an entry of %d bytes has more pages", it.size)
		}
	}
	return nil
}

// hash checks the buckets of a hash table.
func (c *checker) hash() error {
	for bucket := range c.v.m.maxBucket + 1 {
		last := uint32(0)
		for id := c.v.m.bucketPage(bucket); id != 0; id = c.v.page.next() {
			if err := c.use(id); err != nil {
				return err
			}
			if err := c.v.hashPage(id); err != nil {
				return err
			}
			if c.v.page.prev() != last {
				return damaged("page %d follows page %d", id, last)
			}
			if err := c.hashPage(bucket); err != nil {
				return err
			}
			last = id
		}
	}
	return nil
}

// hashPage checks the entries of the present page.
func (c *checker) hashPage(bucket uint32) error {
	p := &c.v.page
	lowest := len(p.b)
	for i := range p.count() {
		it, err := p.hashItem(i)
		if err != nil {
			return err
		}
		lowest = p.offset(i)
		if err := c.overflow(&it, false); err != nil {
			return err
		}
		if i%2 != 0 {
			continue
		}
		if c.v.scratch, err = c.v.appendItem(c.v.scratch[:0], &it); err != nil {
			return err
		}
		if c.v.m.bucket(c.v.scratch) != bucket {
			return damaged("a key of page %d is in the wrong bucket", p.id)
		}
	}
	return p.checkSpace(lowest)
}

// checkSpace checks what the page says about where its entries begin. A page of
// 64 kB without entries cannot say it.
func (p *page) checkSpace(lowest int) error {
	if p.blank() || p.dataSize() == lowest || lowest == 1<<16 && p.dataSize() == 0 {
		return nil
	}
	return damaged("the entries of page %d begin at %d, not at %d", p.id, lowest, p.dataSize())
}

// node checks the page of a btree below one of the given level, and all below
// it. Its keys are not less than low and less than high, if these are not nil.
func (c *checker) node(id uint32, level int, low, high []byte) error {
	p := &page{}
	if err := c.use(id); err != nil {
		return err
	}
	if err := c.v.treePage(p, id, level); err != nil {
		return err
	}
	if p.kind() == typeLBtree {
		return c.leafPage(p, low, high)
	}
	if p.count() == 0 {
		return damaged("page %d is empty", id)
	}
	if err := c.space(p, (*page).innerItem, innerHeader); err != nil {
		return err
	}
	child, err := p.innerItem(0)
	if err != nil {
		return err
	}
	if err := c.overflow(&child, true); err != nil {
		return err
	}
	for i := 1; i < p.count(); i++ {
		next, err := p.innerItem(i)
		if err != nil {
			return err
		}
		key, err := c.key(p, &next, true, low, high)
		if err != nil {
			return err
		}
		if err := c.node(child.child, int(p.level()), low, key); err != nil {
			return err
		}
		low, child = key, next
	}
	return c.node(child.child, int(p.level()), low, high)
}

// leafPage checks a leaf.
func (c *checker) leafPage(p *page, low, high []byte) error {
	if p.prev() != c.leaf || c.leaf != 0 && c.leafNext != p.id {
		return damaged("leaf %d follows leaf %d", p.id, c.leaf)
	}
	c.leaf, c.leafNext = p.id, p.next()
	if err := c.space(p, (*page).btreeItem, leafHeader); err != nil {
		return err
	}
	for i := 0; i < p.count(); i += 2 {
		it, err := p.btreeItem(i)
		if err != nil {
			return err
		}
		key, err := c.key(p, &it, false, low, high)
		if err != nil {
			return err
		}
		if i > 0 && slices.Equal(key, low) {
			return damaged("page %d has a key twice", p.id)
		}
		low = key
		if it, err = p.btreeItem(i + 1); err != nil {
			return err
		}
		if err := c.overflow(&it, false); err != nil {
			return err
		}
	}
	return nil
}

// key returns a key after checking that it is not less than low and less than
// high.
func (c *checker) key(p *page, it *item, inner bool, low, high []byte) ([]byte, error) {
	if err := c.overflow(it, inner); err != nil {
		return nil, err
	}
	key, err := c.v.appendItem([]byte{}, it)
	if err != nil {
		return nil, err
	}
	if low != nil && slices.Compare(key, low) < 0 || high != nil && slices.Compare(key, high) >= 0 {
		return nil, damaged("the keys of page %d are out of order", p.id)
	}
	return key, nil
}

// space checks that the entries of a page of a btree do not overlap.
func (c *checker) space(p *page, get func(*page, int) (item, error), header int) error {
	type extent struct{ start, size int }
	extents := make([]extent, p.count())
	for i := range extents {
		it, err := get(p, i)
		if err != nil {
			return err
		}
		size := header + len(it.data)
		switch {
		case it.over == 0 && it.tree == 0:
		case header == innerHeader:
			size = header + referenceSize
		default:
			size = referenceSize
		}
		extents[i] = extent{p.offset(i), size}
	}
	slices.SortFunc(extents, func(a, b extent) int { return cmp.Compare(a.start, b.start) })
	for i := 1; i < len(extents); i++ {
		if extents[i].start < extents[i-1].start+extents[i-1].size {
			return damaged("entries of page %d overlap", p.id)
		}
	}
	if len(extents) == 0 {
		return p.checkSpace(len(p.b))
	}
	return p.checkSpace(extents[0].start)
}
