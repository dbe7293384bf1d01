package lmdb

import (
	"encoding/binary"
	"io"

	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// format is the file format of LMDB 0.9 on 64-bit little-endian machines, as
// far as Postfix uses it: one unnamed database without duplicate keys.
// Source: lmdb.h and mdb.c of LMDB 0.9.33 (MDB_meta, MDB_db, MDB_page,
// MDB_node).
type format struct{}

var _ pagetree.Format = format{}

// The errors of files of another kind, with LMDB's text.
const (
	errInvalid = pagetree.Foreign("MDB_INVALID: File is not an LMDB file")
	errVersion = pagetree.Foreign("MDB_VERSION_MISMATCH: Database environment version mismatch")
)

// Numbers of the format.
const (
	magic   = 0xBEEFC0DE
	version = 1

	metaSize     = 136 // of MDB_meta
	metaPageSize = 24  // offset of the page size (free database, md_pad)
	metaFree     = 24  // offset of the free database (MDB_db)
	metaMain     = 72  // offset of the main database (MDB_db)
	metaLast     = 120 // offset of the last page number
	metaTxn      = 128 // offset of the transaction number

	dbFlags   = 4 // offsets in MDB_db
	dbDepth   = 6
	dbEntries = 32
	dbRoot    = 40

	pageBranch   = 0x01 // mp_flags
	pageLeaf     = 0x02
	pageOverflow = 0x04
	pageMeta     = 0x08

	nodeBig  = 0x01 // mn_flags
	nodeSub  = 0x02
	nodeDup  = 0x04
	nodeSize = 8 // of the header of a node

	integerKeys = 0x08   // md_flags of the free database
	noSubdir    = 0x4000 // a flag of the environment that is stored there
)

var le = binary.LittleEndian

// meta is one of the two meta pages.
type meta []byte

func (m meta) u32(offset int) uint32 { return le.Uint32(m[pagetree.HeaderSize+offset:]) }
func (m meta) u64(offset int) uint64 { return le.Uint64(m[pagetree.HeaderSize+offset:]) }

// db returns the description of a database.
func (m meta) db(offset int) []byte { return m[pagetree.HeaderSize+offset:][:48] }

// read fills in the meta page that starts at the offset.
func (m meta) read(src io.ReaderAt, offset int64) error {
	n, err := src.ReadAt(m, offset)
	if n < len(m) && (err == io.EOF || err == nil) {
		return errInvalid
	}
	if n < len(m) {
		return err
	}
	if le.Uint16(m[10:])&pageMeta == 0 || m.u32(0) != magic {
		return errInvalid
	}
	if m.u32(4) != version {
		return errVersion
	}
	return nil
}

// Snapshot implements pagetree.Format.
func (format) Snapshot(src io.ReaderAt, buf *pagetree.Buffer) (pagetree.Snapshot, error) {
	const full = pagetree.HeaderSize + metaSize
	m, other := meta(buf[:full]), meta(buf[full:2*full])
	if err := m.read(src, 0); err != nil {
		return pagetree.Snapshot{}, err
	}
	size := m.u32(metaPageSize)
	if size < 512 || size > 65536 || size&(size-1) != 0 {
		return pagetree.Snapshot{}, errInvalid
	}
	if err := other.read(src, int64(size)); err != nil {
		return pagetree.Snapshot{}, err
	}
	if other.u64(metaTxn) > m.u64(metaTxn) {
		m = other
	}
	return m.snapshot(int(size))
}

// snapshot returns what the meta page says.
func (m meta) snapshot(size int) (pagetree.Snapshot, error) {
	main, free := m.db(metaMain), m.db(metaFree)
	s := pagetree.Snapshot{
		Txn:      m.u64(metaTxn),
		PageSize: size,
		Pages:    m.u64(metaLast) + 1,
		Main:     place(main),
		Free:     place(free),
	}
	switch {
	case s.Pages < 2 || s.Pages > 1<<47/uint64(size):
		return s, pagetree.Damaged("the last page is %d", s.Pages-1)
	case le.Uint16(main[dbFlags:]) != 0:
		return s, pagetree.Damaged("the database has flags %#x", le.Uint16(main[dbFlags:]))
	case le.Uint16(free[dbFlags:])&^noSubdir != integerKeys:
		return s, pagetree.Damaged("the free list has flags %#x", le.Uint16(free[dbFlags:]))
	}
	return s, nil
}

// place returns the root of a database.
func place(db []byte) pagetree.Place {
	return pagetree.Place{
		Page:    le.Uint64(db[dbRoot:]),
		Counted: true,
		Depth:   int(le.Uint16(db[dbDepth:])),
		Entries: le.Uint64(db[dbEntries:]),
	}
}

// Tree implements pagetree.Format.
func (format) Tree(v *pagetree.View) (pagetree.Root, error) {
	return pagetree.Root{Place: v.Main}, nil
}

// Span implements pagetree.Format.
func (format) Span(header []byte, id uint64) (uint64, error) {
	if le.Uint64(header) != id {
		return 0, pagetree.Damaged("page %d says that it is page %d", id, le.Uint64(header))
	}
	return 1, nil
}

// Big implements pagetree.Format.
func (format) Big(header []byte, id uint64, size int, pages uint64) error {
	if le.Uint64(header) != id || le.Uint16(header[10:]) != pageOverflow || uint64(le.Uint32(header[12:])) != pages {
		return pagetree.Damaged("page %d holds no value of %d bytes", id, size)
	}
	return nil
}

// Parse implements pagetree.Format.
func (format) Parse(page []byte) (pagetree.Node, error) {
	lower, upper := int(le.Uint16(page[12:])), int(le.Uint16(page[14:]))
	if lower < pagetree.HeaderSize || lower%2 != 0 || lower > upper || upper > len(page) {
		return pagetree.Node{}, pagetree.Damaged("a page's bounds are %d and %d", lower, upper)
	}
	n := pagetree.Node{N: (lower - pagetree.HeaderSize) / 2}
	switch flags := le.Uint16(page[10:]); flags {
	case pageBranch:
		n.Entry = branchEntry
	case pageLeaf:
		n.Leaf, n.Entry = true, leafEntry
	default:
		return n, pagetree.Damaged("a page has flags %#x", flags)
	}
	return n, nil
}

// node returns the header and the key of node i, and what follows.
func node(page []byte, i int) (header, key, rest []byte, err error) {
	offset := int(le.Uint16(page[pagetree.HeaderSize+2*i:]))
	upper := int(le.Uint16(page[14:]))
	if offset < upper || offset%2 != 0 || offset+nodeSize > len(page) {
		return nil, nil, nil, pagetree.Damaged("an entry lies at offset %d of its page", offset)
	}
	header, rest = page[offset:offset+nodeSize], page[offset+nodeSize:]
	size := int(le.Uint16(header[6:]))
	if size > len(rest) {
		return nil, nil, nil, pagetree.Damaged("a key of %d bytes exceeds its page", size)
	}
	return header, rest[:size:size], rest[size:], nil
}

// branchEntry is the Entry function of branch pages. The number of the page
// below takes the place of the size and the flags of a value.
func branchEntry(page []byte, i int) (pagetree.Entry, error) {
	header, key, _, err := node(page, i)
	if err != nil {
		return pagetree.Entry{}, err
	}
	return pagetree.Entry{Key: key, Child: le.Uint64(header) & (1<<48 - 1)}, nil
}

// leafEntry is the Entry function of leaf pages.
func leafEntry(page []byte, i int) (pagetree.Entry, error) {
	header, key, rest, err := node(page, i)
	if err != nil {
		return pagetree.Entry{}, err
	}
	e := pagetree.Entry{Key: key}
	size, flags := uint64(le.Uint32(header)), le.Uint16(header[4:])
	switch {
	case flags&^uint16(nodeBig|nodeSub|nodeDup) != 0:
		return e, pagetree.Damaged("an entry has flags %#x", flags)
	case flags&(nodeSub|nodeDup) != 0:
		e.Sub = true
	case flags&nodeBig != 0:
		if len(rest) < 8 {
			return e, pagetree.Damaged("an entry exceeds its page")
		}
		e.Size, e.Big = int(size), le.Uint64(rest)
		if e.Big == 0 {
			return e, pagetree.Damaged("a value lies on page 0")
		}
	case size > uint64(len(rest)):
		return e, pagetree.Damaged("a value of %d bytes exceeds its page", size)
	default:
		e.Value = rest[:size:size]
	}
	return e, nil
}
