package rulefile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// BenchmarkLookup looks up keys that no rule, the middle one or the last one
// matches, in tables of rules that can be told apart by their text ("text") and
// of such that cannot ("plain"), or among networks.
func BenchmarkLookup(b *testing.B) {
	for _, kind := range []string{"regexp", "pcre"} {
		for _, rules := range []int{10, 500, 5000} {
			var text, plain strings.Builder
			for i := range rules {
				fmt.Fprintf(&text, "/^user%d-[a-z]+@(.*)\\.example$/ box%d@$1\n", i, i)
				fmt.Fprintf(&plain, "/^[0-9]{%d}x?$/ digits\n", i%200+1)
			}
			for name, i := range map[string]int{"none": rules, "middle": rules / 2, "last": rules - 1} {
				key := fmt.Sprintf("user%d-abc@host.example", i)
				benchmarkLookup(b, fmt.Sprintf("%s/text/%d/%s", kind, rules, name), kind, text.String(), key)
			}
			if rules <= 500 {
				benchmarkLookup(b, fmt.Sprintf("%s/plain/%d/none", kind, rules), kind, plain.String(), "somebody@host.example")
			}
		}
	}
	var networks strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&networks, "10.%d.%d.0/24 net%d\n", i/256, i%256, i)
	}
	benchmarkLookup(b, "cidr/10000/last", "cidr", networks.String(), "10.39.5.1")
}

func benchmarkLookup(b *testing.B, name, kind, table, key string) {
	b.Run(name, func(b *testing.B) {
		env, _ := logEnv(false)
		h, _ := open(b, env, kind, table, 0)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			r := maptypes.Request{Key: []byte(key)}
			for pb.Next() {
				if _, err := h.Lookup(ctx, &r); err != nil && err != maptypes.ErrNotFound {
					b.Fatal(err)
				}
			}
		})
	})
}
