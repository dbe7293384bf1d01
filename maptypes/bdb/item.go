package bdb

import (
	"bytes"
)

// item is a key or a value: in its page, on overflow pages, or a set of
// duplicate values.
type item struct {
	data  []byte // in the page, if over and dup are 0
	over  uint32 // first overflow page
	size  uint32 // of the data on overflow pages
	set   []byte // duplicates in the page of a hash table
	tree  uint32 // root of a tree of duplicates
	dead  bool   // deleted, but still there for a cursor
	child uint32 // of entries of inner pages
}

// Types of items in btree pages, and a flag.
const (
	btreeKeyData   = 1
	btreeDuplicate = 2
	btreeOverflow  = 3
	btreeDeleted   = 0x80
)

// Types of items in hash pages.
const (
	hashKeyData   = 1
	hashDuplicate = 2
	hashOffPage   = 3
	hashOffDup    = 4
)

// Sizes in bytes of what refers to other pages, in both kinds of files, and of
// the headers of items of btree pages.
const (
	referenceSize = 12
	leafHeader    = 3
	innerHeader   = 12
)

// btreeItem returns item i of a leaf.
func (p *page) btreeItem(i int) (it item, err error) {
	at, err := p.start(i, leafHeader)
	if err != nil {
		return it, err
	}
	kind := p.b[at+2]
	it.dead = kind&btreeDeleted != 0
	return it, p.btreeData(&it, kind&^btreeDeleted, at, at+leafHeader, int(p.m.order.Uint16(p.b[at:])))
}

// btreeData fills in the item at offset at, with n bytes at offset data if it is
// in the page.
func (p *page) btreeData(it *item, kind byte, at, data, n int) error {
	switch kind {
	case btreeKeyData:
		if data+n > len(p.b) {
			return damaged("an entry exceeds page %d", p.id)
		}
		it.data = p.b[data : data+n : data+n]
		return nil
	case btreeOverflow, btreeDuplicate:
		if at+referenceSize > len(p.b) {
			return damaged("an entry exceeds page %d", p.id)
		}
		id, size := p.m.order.Uint32(p.b[at+4:]), p.m.order.Uint32(p.b[at+8:])
		if kind == btreeDuplicate {
			it.tree = id
		} else {
			it.over, it.size = id, size
		}
		return it.checkReference(p)
	default:
		return damaged("an entry of type %d on page %d", kind, p.id)
	}
}

// checkReference refuses references to the first page, which holds no entries;
// 0 means that there is none.
func (it *item) checkReference(p *page) error {
	if it.over == 0 && it.tree == 0 {
		return damaged("an entry of page %d refers to page 0", p.id)
	}
	return nil
}

// innerItem returns entry i of an inner page of a btree: the least key of a
// subtree, and its root.
func (p *page) innerItem(i int) (it item, err error) {
	at, err := p.start(i, innerHeader)
	if err != nil {
		return it, err
	}
	n, kind := int(p.m.order.Uint16(p.b[at:])), p.b[at+2]
	it.child = p.m.order.Uint32(p.b[at+4:])
	return it, p.btreeData(&it, kind&^btreeDeleted, at+innerHeader, at+innerHeader, n)
}

// hashItem returns item i of a page of a hash table. It ends where the one
// before it begins.
func (p *page) hashItem(i int) (it item, err error) {
	at, err := p.start(i, 1)
	if err != nil {
		return it, err
	}
	end := len(p.b)
	if i > 0 {
		end = p.offset(i - 1)
	}
	if end <= at || end > len(p.b) {
		return it, damaged("the entries of page %d overlap", p.id)
	}
	body := p.b[at+1 : end : end]
	switch kind := p.b[at]; kind {
	case hashKeyData:
		it.data = body
		return it, nil
	case hashDuplicate:
		it.set = body
		return it, nil
	case hashOffPage, hashOffDup:
		if len(body) < referenceSize-1 && kind == hashOffPage || len(body) < 7 {
			return it, damaged("an entry of %d bytes on page %d", len(body), p.id)
		}
		id := p.m.order.Uint32(body[3:])
		if kind == hashOffDup {
			it.tree = id
		} else {
			it.over, it.size = id, p.m.order.Uint32(body[7:])
		}
		return it, it.checkReference(p)
	default:
		return it, damaged("an entry of type %d on page %d", kind, p.id)
	}
}

// appendItem appends a key or a single value to dst.
func (v *View) appendItem(dst []byte, it *item) ([]byte, error) {
	switch {
	case it.over != 0:
		return v.appendOverflow(dst, it.over, it.size)
	case it.set != nil || it.tree != 0:
		return dst, damaged("duplicates in the place of an entry")
	default:
		return append(dst, it.data...), nil
	}
}

// compare compares a key of the file with another.
func (v *View) compare(it *item, key []byte) (int, error) {
	if it.over == 0 && it.set == nil && it.tree == 0 {
		return bytes.Compare(it.data, key), nil
	}
	var err error
	v.scratch, err = v.appendItem(v.scratch[:0], it)
	return bytes.Compare(v.scratch, key), err
}

// equal reports whether a key of the file is the given one.
func (v *View) equal(it *item, key []byte) (bool, error) {
	if it.over != 0 && int64(it.size) != int64(len(key)) {
		return false, nil
	}
	order, err := v.compare(it, key)
	return order == 0, err
}
