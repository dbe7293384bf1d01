//go:build !cgo

package regexp

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/rulefile/pcre2"
)

// first is not there: PCRE2's expressions are matched one by one.
var first func(context.Context, []rulefile.Pattern, []byte) (int, bool, error)

// newMemory returns what the expressions of one lookup share.
func newMemory() rulefile.Memory { return &pcre2.Memory{} }

// compile makes a pattern.
func compile(expr string, options uint32, groups bool) (rulefile.Pattern, error) {
	return compilePortable(expr, options, groups)
}
