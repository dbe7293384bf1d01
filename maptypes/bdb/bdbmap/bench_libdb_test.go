//go:build cgo && libdb

package bdbmap_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func BenchmarkTable(b *testing.B) {
	for _, typ := range types {
		w := newWorld(b)
		var source strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&source, "user%d@example.com value %d\n", i, i)
		}
		if err := w.build(typ, "t", source.String(), 0); err != nil {
			b.Fatal(err)
		}
		h := w.mustOpen(typ, "t", maptypes.Create)
		b.Run(typ+" lookup", func(b *testing.B) {
			b.ReportAllocs()
			r := &maptypes.Request{}
			for i := 0; b.Loop(); i++ {
				r.Key, r.Flags = fmt.Appendf(r.Key[:0], "user%d@example.com", i*7919%100_000), h.Flags()
				if _, err := h.Lookup(context.Background(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(typ+" update", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if err := put(h, fmt.Sprintf("user%d@example.com", i*7919%100_000), "new"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
