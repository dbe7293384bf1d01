package pcre

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/rulefile/pcre2"
)

// pattern makes a rulefile.Pattern of an expression.
type pattern struct{ *pcre2.Regexp }

// Match implements rulefile.Pattern.
func (p pattern) Match(ctx context.Context, memory rulefile.Memory, key []byte, offsets []int32) (bool, error) {
	m, _ := memory.(*pcre2.Memory)
	return p.Regexp.Match(ctx, m, key, offsets)
}

func newMemory() rulefile.Memory { return &pcre2.Memory{} }
