package rulefile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// BenchmarkLookup walks through 500 patterns, or finds one of 10,000 networks.
func BenchmarkLookup(b *testing.B) {
	var patterns, networks strings.Builder
	for i := range 500 {
		fmt.Fprintf(&patterns, "/^user%d@(.*)\\.example$/ box%d@$1\n", i, i)
	}
	for i := range 10000 {
		fmt.Fprintf(&networks, "10.%d.%d.0/24 net%d\n", i/256, i%256, i)
	}
	for _, bm := range []struct{ kind, table, key string }{
		{"regexp", patterns.String(), "user499@host.example"},
		{"pcre", patterns.String(), "user499@host.example"},
		{"cidr", networks.String(), "10.39.5.1"},
	} {
		env, _ := logEnv(false)
		h, _ := open(b, env, bm.kind, bm.table, 0)
		b.Run(bm.kind, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := maptypes.Request{Key: []byte(bm.key)}
				for pb.Next() {
					if _, err := h.Lookup(context.Background(), &r); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
