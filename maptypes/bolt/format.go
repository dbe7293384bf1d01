package bolt

import (
	"encoding/binary"
	"hash/fnv"
	"io"

	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// format is the file format of bbolt on little-endian machines, with the
// entries in one bucket. Source: internal/common of go.etcd.io/bbolt v1.5.0
// (Meta, Page, InBucket).
type format struct{}

var _ pagetree.Format = format{}

// bucket is the name of the bucket that holds the entries.
const bucket = "map"

var bucketKey = []byte(bucket)

// errInvalid is the error of a file of another kind, with bbolt's text.
const errInvalid = pagetree.Foreign("invalid database")

// Numbers of the format.
const (
	magic   = 0xED0CDAED
	version = 2

	metaSize = 64 // of a meta, behind the header of its page; offsets in it:
	metaPage = 8  // page size
	metaRoot = 16 // root of the tree of buckets
	metaFree = 32 // page of the free list
	metaNext = 40 // first page number that was never used
	metaTxn  = 48
	metaSum  = 56 // FNV-1a of all before

	pageBranch = 0x01
	pageLeaf   = 0x02
	pageFree   = 0x10

	elementSize  = 16 // of an entry's description
	bucketEntry  = 1  // flag of an entry: the value is a bucket
	bucketHeader = 16 // of a bucket: the page of its root, a sequence number
)

var le = binary.LittleEndian

// meta is one of the two meta pages.
type meta []byte

func (m meta) u32(offset int) uint32 { return le.Uint32(m[pagetree.HeaderSize+offset:]) }
func (m meta) u64(offset int) uint64 { return le.Uint64(m[pagetree.HeaderSize+offset:]) }

// read fills in the meta page that starts at the offset. The error is
// errInvalid if it is none, or one of reading.
func (m meta) read(src io.ReaderAt, offset int64) error {
	n, err := src.ReadAt(m, offset)
	if n < len(m) {
		if err == io.EOF || err == nil {
			return errInvalid
		}
		return err
	}
	sum := fnv.New64a()
	sum.Write(m[pagetree.HeaderSize:][:metaSum])
	size := m.u32(metaPage)
	if m.u32(0) != magic || m.u32(4) != version || m.u64(metaSum) != sum.Sum64() ||
		size < 512 || size > 65536 || size&(size-1) != 0 {
		return errInvalid
	}
	return nil
}

// Snapshot implements pagetree.Format. A writer that was killed may leave one
// of the meta pages invalid.
func (format) Snapshot(src io.ReaderAt, buf *pagetree.Buffer) (pagetree.Snapshot, error) {
	const full = pagetree.HeaderSize + metaSize
	m, other := meta(buf[:full]), meta(buf[full:2*full])
	err := m.read(src, 0)
	if err != nil && err != errInvalid {
		return pagetree.Snapshot{}, err
	}
	first, last := 512, 65536
	if err == nil {
		first = int(m.u32(metaPage))
		last = first
	}
	for size := first; size <= last; size *= 2 {
		otherErr := other.read(src, int64(size))
		if otherErr == nil && int(other.u32(metaPage)) == size &&
			(err != nil || other.u64(metaTxn) > m.u64(metaTxn)) {
			return other.snapshot()
		}
	}
	if err != nil {
		return pagetree.Snapshot{}, err
	}
	return m.snapshot()
}

// snapshot returns what the meta page says.
func (m meta) snapshot() (pagetree.Snapshot, error) {
	s := pagetree.Snapshot{
		Txn:      m.u64(metaTxn),
		PageSize: int(m.u32(metaPage)),
		Pages:    m.u64(metaNext),
		Main:     pagetree.Place{Page: m.u64(metaRoot)},
		Free:     pagetree.Place{Page: m.u64(metaFree)},
	}
	if s.Pages > 1<<47/uint64(s.PageSize) {
		return s, pagetree.Damaged("%d pages", s.Pages)
	}
	return s, nil
}

// Tree implements pagetree.Format: it looks for the bucket. A small bucket lies
// in the tree of buckets, as a page without a number.
func (format) Tree(v *pagetree.View) (pagetree.Root, error) {
	none := pagetree.Root{Place: pagetree.Place{Page: pagetree.NoRoot}}
	e, found, err := v.Find(pagetree.Root{Place: v.Main}, bucketKey)
	if err != nil || !found {
		return none, err
	}
	if !e.Sub || len(e.Value) < bucketHeader {
		return none, pagetree.Damaged("%q is no bucket", bucket)
	}
	if id := le.Uint64(e.Value); id != 0 {
		return pagetree.Root{Place: pagetree.Place{Page: id}}, nil
	}
	page := e.Value[bucketHeader:]
	if len(page) < pagetree.HeaderSize || le.Uint16(page[8:]) != pageLeaf {
		return none, pagetree.Damaged("the bucket %q holds no page", bucket)
	}
	return pagetree.Root{Inline: page}, nil
}

// Span implements pagetree.Format.
func (format) Span(header []byte, id uint64) (uint64, error) {
	if le.Uint64(header) != id {
		return 0, pagetree.Damaged("page %d says that it is page %d", id, le.Uint64(header))
	}
	return uint64(le.Uint32(header[12:])) + 1, nil
}

// Big implements pagetree.Format. All values lie in the tree.
func (format) Big([]byte, uint64, int, uint64) error {
	return pagetree.Damaged("a value outside the tree")
}

// Parse implements pagetree.Format.
func (format) Parse(page []byte) (pagetree.Node, error) {
	n := pagetree.Node{N: int(le.Uint16(page[10:]))}
	if pagetree.HeaderSize+n.N*elementSize > len(page) {
		return n, pagetree.Damaged("a page claims to have %d entries", n.N)
	}
	switch flags := le.Uint16(page[8:]); flags {
	case pageBranch:
		n.Entry = branchEntry
	case pageLeaf:
		n.Leaf, n.Entry = true, leafEntry
	default:
		return n, pagetree.Damaged("a page has flags %#x", flags)
	}
	return n, nil
}

// element returns the description of entry i, and size bytes at its position.
func element(page []byte, i, positionAt int, size uint64) (data []byte, err error) {
	offset := pagetree.HeaderSize + i*elementSize
	start := uint64(offset) + uint64(le.Uint32(page[offset+positionAt:]))
	if start+size > uint64(len(page)) {
		return nil, pagetree.Damaged("an entry of %d bytes exceeds its page", size)
	}
	return page[start : start+size : start+size], nil
}

// branchEntry is the Entry function of branch pages. The description: position
// and size of the key (32 bits each), page below (64 bits).
func branchEntry(page []byte, i int) (pagetree.Entry, error) {
	description := page[pagetree.HeaderSize+i*elementSize:]
	key, err := element(page, i, 0, uint64(le.Uint32(description[4:])))
	return pagetree.Entry{Key: key, Child: le.Uint64(description[8:])}, err
}

// leafEntry is the Entry function of leaf pages. The description: flags,
// position, size of the key, size of the value (32 bits each).
func leafEntry(page []byte, i int) (pagetree.Entry, error) {
	description := page[pagetree.HeaderSize+i*elementSize:]
	keySize, valueSize := uint64(le.Uint32(description[8:])), uint64(le.Uint32(description[12:]))
	data, err := element(page, i, 4, keySize+valueSize)
	if err != nil {
		return pagetree.Entry{}, err
	}
	return pagetree.Entry{
		Key:   data[:keySize:keySize],
		Value: data[keySize:],
		Sub:   le.Uint32(description)&bucketEntry != 0,
	}, nil
}
