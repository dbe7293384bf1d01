//go:build cgo && libdb

package bdbmap

import (
	"math"
	"math/bits"

	"github.com/proxymapd/proxymapd/maptypes/bdb"
	"github.com/proxymapd/proxymapd/maptypes/bdb/libdb"
	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// smallShare is which part of the cache a table may take to be made in the order
// of its source. The pages of larger ones do not stay in the cache: in another order
// than theirs each entry would cost reading and writing one.
const smallShare = 4

// Sizes in bytes, for an estimate of how many entries fit on a page: of a page
// without its header, of what an entry needs besides key and value, and of the
// largest one that is not on pages of its own.
const (
	pageRoom      = 4096 - 26
	entryOverhead = 6
	maxEntry      = 1024
)

// plan returns the layout of a large table of so many entries, which have so many
// bytes, and the order in which they are written page by page.
func plan(kind bdb.Kind, entries int, bytes int64) (libdb.Layout, spool.Rank) {
	if kind == bdb.Btree {
		return libdb.Layout{}, spool.ByBytes
	}
	average := min(int(bytes/int64(max(entries, 1))), maxEntry)
	room := pageRoom / (average + entryOverhead)
	buckets := uint32(1) << bits.Len(uint(float64(entries)/mean(room)))
	layout := libdb.Layout{Entries: int(buckets) * room, Density: room}
	return layout, func(key []byte) uint64 { return uint64(bdb.Bucket(key, buckets)) }
}

// mean returns how many entries the buckets may have on the average if hardly any
// is to have more than so many: one that has makes the table grow, whose size in
// pages is then the next power of two. The numbers vary by their square root.
func mean(most int) float64 {
	const deviations = 4.5
	root := (math.Sqrt(deviations*deviations+4*float64(most)) - deviations) / 2
	return max(1, root*root)
}
