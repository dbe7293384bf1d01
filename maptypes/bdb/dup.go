package bdb

// appendValue appends a value to dst: number n (from 0) if it is a set of
// duplicates. It reports whether there is such a one.
func (v *View) appendValue(dst []byte, it *item, n uint32) ([]byte, bool, error) {
	switch {
	case it.set != nil:
		return v.appendFromSet(dst, it.set, n)
	case it.tree != 0:
		return v.appendFromTree(dst, it.tree, n)
	case n > 0:
		return dst, false, nil
	default:
		dst, err := v.appendItem(dst, it)
		return dst, err == nil, err
	}
}

// appendFromSet appends value n of duplicates that lie in a page of a hash
// table: each between two copies of its length.
func (v *View) appendFromSet(dst, set []byte, n uint32) ([]byte, bool, error) {
	for ; len(set) > 0; n-- {
		if len(set) < 4 {
			return dst, false, damaged("duplicates of a wrong size")
		}
		size := int(v.m.order.Uint16(set))
		if size+4 > len(set) {
			return dst, false, damaged("a duplicate of %d bytes", size)
		}
		if n == 0 {
			return append(dst, set[2:2+size]...), true, nil
		}
		set = set[size+4:]
	}
	return dst, false, nil
}

// appendFromTree appends value n of duplicates that have a tree of their own.
func (v *View) appendFromTree(dst []byte, root uint32, n uint32) ([]byte, bool, error) {
	p := &v.dup
	if err := v.leftmost(p, root); err != nil {
		return dst, false, err
	}
	var walk steps
	for {
		for i := range p.count() {
			it, err := p.btreeItem(i)
			if err != nil {
				return dst, false, err
			}
			if it.dead {
				continue
			}
			if n == 0 {
				dst, err = v.appendItem(dst, &it)
				return dst, err == nil, err
			}
			n--
		}
		if p.next() == 0 {
			return dst, false, nil
		}
		if err := walk.take(&v.m); err != nil {
			return dst, false, err
		}
		if err := v.readLeaf(p, p.next()); err != nil {
			return dst, false, err
		}
	}
}

// readLeaf reads a leaf of a tree of duplicates.
func (v *View) readLeaf(p *page, id uint32) error {
	if err := v.read(p, id); err != nil {
		return err
	}
	if p.kind() != typeLDup && p.kind() != typeLRecno {
		return damaged("page %d is no page of duplicates", id)
	}
	return p.checkIndex()
}

// recnoHeader is the size of an entry of an inner page of a tree by number: a
// page and a number of entries.
const recnoHeader = 8

// leftmost reads the first leaf of a tree of duplicates.
func (v *View) leftmost(p *page, id uint32) error {
	for level := 256; ; {
		if err := v.read(p, id); err != nil {
			return err
		}
		if p.kind() != typeIBtree && p.kind() != typeIRecno {
			return v.readLeaf(p, id)
		}
		if err := p.checkIndex(); err != nil {
			return err
		}
		if p.count() == 0 || int(p.level()) >= level {
			return damaged("page %d is no page of a tree", id)
		}
		level = int(p.level())
		at, err := p.start(0, recnoHeader)
		if err != nil {
			return err
		}
		if p.kind() == typeIBtree {
			at += 4 // length, type and a byte without meaning
		}
		id = p.m.order.Uint32(p.b[at:])
	}
}
