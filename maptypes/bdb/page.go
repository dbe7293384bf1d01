package bdb

import (
	"errors"
	"io"
)

// Offsets in the header of a page, and its size.
const (
	pageNumber = 8
	pagePrev   = 12
	pageNext   = 16
	pageCount  = 20 // number of entries of the index; references to an overflow page
	pageOffset = 22 // start of the items; length of the data of an overflow page
	pageLevel  = 24
	pageType   = 25
	headerSize = 26
)

// Types of pages.
const (
	typeInvalid      = 0
	typeHashUnsorted = 2
	typeIBtree       = 3 // inner page of a btree
	typeIRecno       = 4 // inner page of a tree of duplicates by number
	typeLBtree       = 5 // leaf of a btree
	typeLRecno       = 6
	typeOverflow     = 7
	typeLDup         = 12 // leaf of a tree of duplicates
	typeHash         = 13
)

// page is the content of one page.
type page struct {
	b  []byte
	id uint32
	m  *meta
}

func (p *page) kind() byte   { return p.b[pageType] }
func (p *page) level() byte  { return p.b[pageLevel] }
func (p *page) prev() uint32 { return p.m.order.Uint32(p.b[pagePrev:]) }
func (p *page) next() uint32 { return p.m.order.Uint32(p.b[pageNext:]) }

// count returns the number of entries of the index of a page that checkIndex
// has passed.
func (p *page) count() int { return int(p.m.order.Uint16(p.b[pageCount:])) }

// offset returns entry i of the index.
func (p *page) offset(i int) int { return int(p.m.order.Uint16(p.b[headerSize+2*i:])) }

// checkIndex returns an error if the index exceeds the page.
func (p *page) checkIndex() error {
	if headerSize+2*p.count() > len(p.b) {
		return damaged("page %d has %d entries", p.id, p.count())
	}
	return nil
}

// start returns the offset of item i, which has at least size bytes.
func (p *page) start(i, size int) (int, error) {
	offset := p.offset(i)
	if offset < headerSize+2*p.count() || offset+size > len(p.b) {
		return 0, damaged("an entry lies at offset %d of page %d", offset, p.id)
	}
	return offset, nil
}

// read reads page id into p. Page 0 is no page for anything but the description
// of the file.
func (v *View) read(p *page, id uint32) error {
	if id == 0 || id >= v.m.pages {
		return damaged("there is no page %d", id)
	}
	if cap(p.b) < v.m.pageSize {
		p.b = make([]byte, v.m.pageSize)
	}
	p.b, p.id, p.m = p.b[:v.m.pageSize], id, &v.m
	n, err := v.src.ReadAt(p.b, int64(id)*int64(v.m.pageSize))
	if n < len(p.b) {
		if errors.Is(err, io.EOF) {
			err = damaged("page %d is missing", id)
		}
		return err
	}
	if got := v.m.order.Uint32(p.b[pageNumber:]); got != id && !p.blank() {
		return damaged("page %d says that it is page %d", id, got)
	}
	return nil
}

// blank reports whether the page was never written: those of a group of new
// buckets may be holes in the file.
func (p *page) blank() bool {
	return p.kind() == typeInvalid && p.m.order.Uint32(p.b[pageNumber:]) == 0 && p.count() == 0
}

// steps bounds a walk from page to page.
type steps uint32

// take counts a step, or says that the walk goes round in circles.
func (s *steps) take(m *meta) error {
	if *s++; uint32(*s) > m.pages {
		return damaged("pages refer to each other in a circle")
	}
	return nil
}

// appendOverflow appends the size bytes of a chain of overflow pages to dst.
func (v *View) appendOverflow(dst []byte, id uint32, size uint32) ([]byte, error) {
	if int64(size) > int64(v.m.pages)*int64(v.m.pageSize) {
		return dst, damaged("an entry of %d bytes", size)
	}
	var walk steps
	for left := int(size); left > 0; {
		if err := walk.take(&v.m); err != nil {
			return dst, err
		}
		p := &v.overflow
		if err := v.read(p, id); err != nil {
			return dst, err
		}
		n := p.dataSize()
		if p.kind() != typeOverflow || n == 0 || n > left || headerSize+n > len(p.b) {
			return dst, damaged("page %d does not continue an entry", id)
		}
		dst = append(dst, p.b[headerSize:headerSize+n]...)
		left -= n
		id = p.next()
	}
	return dst, nil
}

// dataSize returns the length of the data of an overflow page.
func (p *page) dataSize() int { return int(p.m.order.Uint16(p.b[pageOffset:])) }
