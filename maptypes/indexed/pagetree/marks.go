package pagetree

// Marks are the pages that are accounted for.
type Marks struct {
	bits   []uint64        // pages that lie in the file
	beyond map[uint64]bool // free pages that were never written
	pages  uint64
}

// maxBeyond limits the free pages that lie behind the end of the file.
const maxBeyond = 1 << 20

// NewMarks returns marks for a file of so many pages. The first two hold the
// meta data.
func NewMarks(pages int64) *Marks {
	m := &Marks{bits: make([]uint64, pages/64+1), beyond: map[uint64]bool{}, pages: uint64(pages)}
	m.bits[0] = 3
	return m
}

// Use marks n pages from id on. They must be in the file, and not be marked.
func (m *Marks) Use(id, n uint64) error {
	for ; n > 0; id, n = id+1, n-1 {
		if id >= m.pages {
			return Damaged("page %d lies behind the end of the file", id)
		}
		if m.mark(id) {
			return Damaged("page %d is used twice", id)
		}
	}
	return nil
}

// Free marks a free page, which need not be in the file.
func (m *Marks) Free(id uint64) error {
	twice := false
	if id < m.pages {
		twice = m.mark(id)
	} else {
		twice = m.beyond[id]
		m.beyond[id] = true
	}
	if twice {
		return Damaged("page %d is free and used, or free twice", id)
	}
	if len(m.beyond) > maxBeyond {
		return Damaged("too many pages lie behind the end of the file")
	}
	return nil
}

// mark marks a page that is in the file, and reports whether it was marked.
func (m *Marks) mark(id uint64) bool {
	bit := uint64(1) << (id % 64)
	was := m.bits[id/64]&bit != 0
	m.bits[id/64] |= bit
	return was
}
