// Package hash is the map type hash: (hash_table(5)): tables in hash files of
// Berkeley DB. docs/maps/hash.md describes it.
package hash

import (
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/bdb/bdbmap"
)

// Driver is the map type hash:.
var Driver = bdbmap.New(bdb.Hash)
