package indexed_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// BenchmarkLookup measures hits and misses in a table of 100,000 entries.
func BenchmarkLookup(b *testing.B) {
	pairs, _ := largeTable(many)
	for _, typ := range types {
		if typ == "lmdb" && !lmdbWrites {
			continue
		}
		w := newWorld(b)
		w.mustBuild(typ, "t", 0, pairs...)
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		for _, suffix := range []string{"", "x"} {
			b.Run(fmt.Sprintf("%s/miss=%v", typ, suffix != ""), func(b *testing.B) {
				b.ReportAllocs()
				r := &maptypes.Request{}
				i := 0
				for b.Loop() {
					r.Key, r.Flags = append(append(r.Key[:0], pairs[i]...), suffix...), h.Flags()
					if _, err := h.Lookup(context.Background(), r); (err == nil) != (suffix == "") {
						b.Fatal(err)
					}
					i = (i + 7914) % len(pairs)
				}
			})
		}
	}
}
