package bdb

import (
	"encoding/binary"
	"math/bits"
)

// Kind is how a file is organized.
type Kind int

// The kinds of files.
const (
	Hash  Kind = iota // extended linear hashing
	Btree             // a B+tree in the order of the bytes of the keys
)

func (k Kind) String() string {
	if k == Hash {
		return "hash"
	}
	return "btree"
}

// magic returns the number that marks files of this kind.
func (k Kind) magic() uint32 {
	if k == Hash {
		return 0x061561
	}
	return 0x053162
}

// versions returns the oldest and the newest version of the format that libdb
// 5.3 reads without conversion.
func (k Kind) versions() (oldest, newest uint32) {
	if k == Hash {
		return 7, 9
	}
	return 8, 9
}

// Numbers of the first page, which describes the file.
const (
	metaSize = 512 // in bytes, whatever the page size

	metaMagic    = 12
	metaVersion  = 16
	metaPageSize = 20
	metaEncrypt  = 24
	metaType     = 25
	metaFlags    = 26
	metaFree     = 28 // first free page
	metaLast     = 32 // last page
	metaDBFlags  = 48

	hashMaxBucket = 72
	hashHighMask  = 76
	hashLowMask   = 80
	hashCharKey   = 92 // the hash of charKey
	hashSpares    = 96 // of hash tables: numSpares page numbers
	btreeRoot     = 88

	numSpares = 32

	flagChecksum = 0x01 // in metaFlags: pages carry checksums

	flagDup = 0x01 // in metaDBFlags: duplicate keys, in both kinds
)

// charKey shows whether a file was made with another hash function.
const charKey = "%$sniglet^&\x00"

// meta is what the first page says.
type meta struct {
	kind     Kind
	order    binary.ByteOrder
	pageSize int
	pages    uint32 // in the file
	free     uint32 // first free page, or 0
	last     uint32 // the last page that was allocated
	dups     bool

	root uint32 // btree

	maxBucket, highMask, lowMask uint32 // hash
	spares                       [numSpares]uint32
}

// parse fills in the meta page, of a file of the given size in bytes.
func (m *meta) parse(b []byte, kind Kind, size int64) error {
	*m = meta{kind: kind}
	switch kind.magic() {
	case binary.LittleEndian.Uint32(b[metaMagic:]):
		m.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b[metaMagic:]):
		m.order = binary.BigEndian
	default:
		return foreign("not a Berkeley DB %s file", kind)
	}
	oldest, newest := kind.versions()
	if v := m.order.Uint32(b[metaVersion:]); v < oldest || v > newest {
		return foreign("version %d of the %s format is not supported", v, kind)
	}
	if b[metaEncrypt] != 0 || b[metaFlags]&flagChecksum != 0 {
		return foreign("encrypted files and files with checksums are not supported")
	}
	pageSize := m.order.Uint32(b[metaPageSize:])
	if pageSize < metaSize || pageSize > 1<<16 || pageSize&(pageSize-1) != 0 {
		return foreign("a page size of %d", pageSize)
	}
	m.pageSize = int(pageSize)
	if size%int64(pageSize) != 0 || size/int64(pageSize) > 1<<32-1 {
		return foreign("file size not a multiple of the pagesize")
	}
	m.pages = uint32(size / int64(pageSize))
	m.free = m.order.Uint32(b[metaFree:])
	m.last = m.order.Uint32(b[metaLast:])
	m.dups = m.order.Uint32(b[metaDBFlags:])&flagDup != 0
	if kind == Btree {
		m.root = m.order.Uint32(b[btreeRoot:])
		return nil
	}
	return m.parseHash(b)
}

// parseHash fills in what only hash tables have.
func (m *meta) parseHash(b []byte) error {
	m.maxBucket = m.order.Uint32(b[hashMaxBucket:])
	m.highMask = m.order.Uint32(b[hashHighMask:])
	m.lowMask = m.order.Uint32(b[hashLowMask:])
	for i := range m.spares {
		m.spares[i] = m.order.Uint32(b[hashSpares+4*i:])
	}
	if m.order.Uint32(b[hashCharKey:]) != hash([]byte(charKey)) {
		return foreign("the file was made with another hash function")
	}
	// The first page of each bucket is its own.
	if m.maxBucket >= m.pages || m.highMask < m.maxBucket || m.lowMask > m.maxBucket {
		return damaged("%d buckets (masks %#x, %#x) on %d pages", m.maxBucket, m.highMask, m.lowMask, m.pages)
	}
	return nil
}

// bucket returns the bucket of a key.
func (m *meta) bucket(key []byte) uint32 {
	b := hash(key) & m.highMask
	if b > m.maxBucket {
		b &= m.lowMask
	}
	return b
}

// bucketPage returns the number of the first page of a bucket. Buckets were
// added in groups whose sizes are powers of two.
func (m *meta) bucketPage(bucket uint32) uint32 {
	return bucket + m.spares[bits.Len32(bucket)]
}

// hash is the hash function of versions 5 and later: FNV-1, starting at 0.
func hash(key []byte) uint32 {
	var h uint32
	for _, c := range key {
		h = h*16777619 ^ uint32(c)
	}
	return h
}
