package cdb

import (
	"encoding/binary"

	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// The format (https://cr.yp.to/cdb/cdb.txt), all numbers 32 bits, little endian:
// 256 pointers (position and number of slots of a hash table), the records
// (length of the key, length of the value, key, value), and the hash tables.
// A slot is a hash value and the position of a record, or zero.
const (
	tables     = spool.Parts
	headerSize = 8 * tables
	slotSize   = 8
	recordHead = 8
)

var le = binary.LittleEndian

// hash is the hash function of the format. The low 8 bits select the table, the
// rest the slot to start at.
func hash(key []byte) uint32 { return spool.Hash(key) }
