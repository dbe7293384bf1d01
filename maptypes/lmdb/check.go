package lmdb

import (
	"cmp"

	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// Check implements pagetree.Format: it checks the free list, a tree whose keys
// are the numbers of the transactions that freed pages, and whose values are
// lists of pages: their number, and the page numbers in descending order.
func (format) Check(v *pagetree.View, m *pagetree.Marks) error {
	var list []byte
	each := func(e *pagetree.Entry) (err error) {
		if len(e.Key) != 8 {
			return pagetree.Damaged("a key of the free list has %d bytes", len(e.Key))
		}
		if list, err = v.AppendValue(list[:0], e); err != nil {
			return err
		}
		return checkList(list, v.Pages, m)
	}
	return v.CheckTree(pagetree.Root{Place: v.Free}, m, compareNumbers, each)
}

// checkList checks one list of free pages.
func checkList(list []byte, pages uint64, m *pagetree.Marks) error {
	if len(list) < 8 || len(list)%8 != 0 || le.Uint64(list) >= uint64(len(list)/8) {
		return pagetree.Damaged("a list of free pages has %d bytes", len(list))
	}
	list = list[:8*(le.Uint64(list)+1)]
	for last := pages; len(list) > 8; {
		list = list[8:]
		id := le.Uint64(list)
		if id < 2 || id >= last {
			return pagetree.Damaged("page %d cannot be free", id)
		}
		if err := m.Free(id); err != nil {
			return err
		}
		last = id
	}
	return nil
}

// compareNumbers compares keys of the free list. They have 8 bytes, except in
// branches of damaged files.
func compareNumbers(a, b []byte) int {
	if len(a) != 8 || len(b) != 8 {
		return cmp.Compare(len(a), len(b))
	}
	return cmp.Compare(le.Uint64(a), le.Uint64(b))
}
