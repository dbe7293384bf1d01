package bolt

import (
	"bytes"

	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// Check implements pagetree.Format: it checks the list of free pages and the
// tree of buckets.
func (format) Check(v *pagetree.View, m *pagetree.Marks) error {
	if err := checkFree(v, m); err != nil {
		return err
	}
	any := func(*pagetree.Entry) error { return nil }
	return v.CheckTree(pagetree.Root{Place: v.Main}, m, bytes.Compare, any)
}

// checkFree checks the list of free pages, which lies on pages of its own: the
// number of entries in the header of the page or, when it is too large for
// that, in the place of the first entry; then page numbers in ascending order.
func checkFree(v *pagetree.View, m *pagetree.Marks) error {
	if v.Free.Page == pagetree.NoRoot {
		return nil // not stored: bbolt collects it when it opens the file
	}
	page, span, err := v.Page(v.Free.Page)
	if err != nil {
		return err
	}
	if err := m.Use(v.Free.Page, span); err != nil {
		return err
	}
	if flags := le.Uint16(page[8:]); flags != pageFree {
		return pagetree.Damaged("the page of the free list has flags %#x", flags)
	}
	count, list := uint64(le.Uint16(page[10:])), page[pagetree.HeaderSize:]
	if count == 0xffff {
		if len(list) < 8 {
			return pagetree.Damaged("the free list has no length")
		}
		count, list = le.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return pagetree.Damaged("the free list claims to have %d entries", count)
	}
	last := uint64(1)
	for list = list[:8*count]; len(list) > 0; list = list[8:] {
		id := le.Uint64(list)
		if id <= last || id >= v.Pages {
			return pagetree.Damaged("page %d cannot be free", id)
		}
		if err := m.Free(id); err != nil {
			return err
		}
		last = id
	}
	return nil
}
