package regexp

import (
	"context"
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
	return portablePattern{re}, nil
}

// portablePattern makes a rulefile.Pattern of an expression.
type portablePattern struct{ *pcre2.Regexp }

// Match implements rulefile.Pattern.
func (p portablePattern) Match(ctx context.Context, memory rulefile.Memory, key []byte, offsets []int32) (bool, error) {
	m, _ := memory.(*pcre2.Memory)
	return p.Regexp.Match(ctx, m, key, offsets)
}

// portable returns an expression in PCRE2's syntax, for rulefile.Syntax.
func portable(expr string, options uint32) (text string, extended, ok bool) {
	text, err := translate(expr, options)
	return text, false, err == nil
}
