package prefilter

import (
	"fmt"
	"testing"
)

const benchmarkExpr = `^rule%d-[a-z]+@(.*)\.example$`

func BenchmarkAnalyze(b *testing.B) {
	b.ReportAllocs()
	expr := fmt.Sprintf(benchmarkExpr, 1)
	for b.Loop() {
		Analyze(expr, false)
	}
}

// BenchmarkScan looks for what 5000 expressions need in a key that has the
// strings of none, and of one.
func BenchmarkScan(b *testing.B) {
	var needs []Need
	for i := range 5000 {
		need, _ := Analyze(fmt.Sprintf(benchmarkExpr, i), false)
		needs = append(needs, need)
	}
	x := NewIndex(needs)
	found := make([]uint64, x.Words())
	for name, key := range map[string]string{"none": "somebody@else.example.org", "one": "rule4711-a@host.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(key)))
			for b.Loop() {
				x.Scan([]byte(key), found)
			}
		})
	}
}
