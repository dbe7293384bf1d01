package pcre2

import (
	"bytes"
	"context"
	"slices"
	"testing"
)

// TestMemoryServesManyMatches: expressions with more and fewer groups and keys of
// all lengths take turns with one memory, more often than it keeps anything.
func TestMemoryServesManyMatches(t *testing.T) {
	ctx := context.Background()
	small := compile(t, "a(b)?", 0)
	large := compile(t, "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", 0)
	long := append(bytes.Repeat([]byte("x"), 100_000), 'a')
	var m Memory
	for range 50 {
		for _, tc := range []struct {
			re   *Regexp
			key  []byte
			want []int32 // nil: no match
		}{
			{small, []byte("xab"), []int32{1, 3, 2, 3}},
			{small, []byte(""), nil},
			{large, []byte("abcdefghijklmnopqrst"), []int32{0, 20, 0, 1}},
			{large, []byte("short"), nil},
			{small, long, []int32{100_000, 100_001, -1, -1}},
		} {
			for range 2 {
				offsets := make([]int32, 4)
				hit, err := tc.re.Match(ctx, &m, tc.key, offsets)
				if !hit {
					offsets = nil
				}
				if err != nil || !slices.Equal(offsets, tc.want) {
					t.Fatalf("key %.20q: offsets %v, %v; want %v", tc.key, offsets, err, tc.want)
				}
			}
		}
		m.Release()
	}
}

// TestMemoryForgetsTheKey: a buffer that is used again for another lookup holds
// another key at the same place.
func TestMemoryForgetsTheKey(t *testing.T) {
	re := compile(t, "a", 0)
	var m Memory
	buffer := []byte("a")
	for _, want := range []bool{true, false, true} {
		buffer[0] = map[bool]byte{true: 'a', false: 'b'}[want]
		if hit, err := re.Match(context.Background(), &m, buffer, nil); hit != want || err != nil {
			t.Errorf("key %q: %v, %v; want %v", buffer, hit, err, want)
		}
		m.Release()
	}
}
