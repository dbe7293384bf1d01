//go:build cgo

package regexp

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// first implements rulefile.Syntax. Expressions that can take long are matched
// alone, so that nobody waits for one that he does not need. Since all take the
// copies in the order of the table, no two wait for each other.
func first(ctx context.Context, patterns []rulefile.Pattern, key []byte) (tried int, hit bool, err error) {
	var taken [rulefile.MaxFirst]*libcRegex
	var together regexes
	defer func() {
		for i, re := range taken[:together.n] {
			patterns[i].(*pattern).put(re)
		}
	}()
	for i := range patterns {
		p := patterns[i].(*pattern)
		if !p.quick && i > 0 {
			break
		}
		re, err := p.take(ctx)
		if err != nil {
			return i + 1, false, err
		}
		taken[i] = re
		together.add(re)
		if !p.quick {
			break
		}
	}
	return together.first(key)
}
