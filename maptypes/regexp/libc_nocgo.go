//go:build !cgo

package regexp

import "github.com/proxymapd/proxymapd/maptypes/rulefile"

// compile makes a pattern.
func compile(expr string, options uint32, groups bool) (rulefile.Pattern, error) {
	return compilePortable(expr, options, groups)
}
