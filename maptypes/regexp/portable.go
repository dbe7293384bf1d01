package regexp

import (
	"fmt"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/rulefile/pcre2"
)

// compilePortable makes a pattern that needs no C library.
func compilePortable(expr string, options uint32, _ bool) (rulefile.Pattern, error) {
	text, err := translate(expr, options)
	if err != nil {
		return nil, err
	}
	var flags uint32
	if options&optIgnoreCase != 0 {
		flags = pcre2.Caseless
	}
	re, err := pcre2.Compile(text, flags)
	if err != nil {
		return nil, fmt.Errorf("this build cannot use the expression: %w", err)
	}
	return re, nil
}
