//go:build cgo

package regexp

import (
	"context"
	"errors"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// TestFirst tries expressions together, but none that may take long.
func TestFirst(t *testing.T) {
	var patterns []rulefile.Pattern
	for _, expr := range []string{"^a", "^(b)", `^(x)\1`, "^c", "^$"} {
		p, err := compile(expr, optExtended, true)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		patterns = append(patterns, p)
	}
	for _, tc := range []struct {
		from  int
		key   string
		tried int
		hit   bool
	}{
		{0, "a", 1, true}, {0, "b", 2, true}, {0, "c", 2, false}, {2, "c", 1, false}, {2, "xx", 1, true},
		{3, "c", 1, true}, {3, "", 2, true}, {3, "d", 2, false},
	} {
		// Often: the copies that were taken are given back.
		for range 2 * maxCopies {
			tried, hit, err := first(context.Background(), patterns[tc.from:], []byte(tc.key))
			if tried != tc.tried || hit != tc.hit || err != nil {
				t.Errorf("from %d, key %q: tried %d, %v, %v; want %d, %v", tc.from, tc.key, tried, hit, err, tc.tried, tc.hit)
			}
		}
	}
}

// TestFirstWaitsForACopy: a request whose time is over does not wait, and keeps
// no copy of the other expressions.
func TestFirstWaitsForACopy(t *testing.T) {
	var patterns []rulefile.Pattern
	for range 2 {
		p, err := compile("a", optExtended, false)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		patterns = append(patterns, p)
	}
	busy := patterns[1].(*pattern)
	for range maxCopies {
		re, err := busy.take(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer busy.put(re)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2 * maxCopies {
		tried, hit, err := first(ctx, patterns, []byte("b"))
		if tried != 2 || hit || !errors.Is(err, context.Canceled) {
			t.Fatalf("tried %d, %v, %v; want that the second one is given up", tried, hit, err)
		}
	}
}
