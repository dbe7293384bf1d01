// Package btree is the map type btree: (btree_table(5)): tables in B-tree files
// of Berkeley DB. docs/maps/btree.md describes it.
package btree

import (
	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/bdb/bdbmap"
)

// Driver is the map type btree:.
var Driver = bdbmap.New(bdb.Btree)
