// Package pcre implements the pcre: map type (pcre_table(5)): rules with
// Perl-compatible regular expressions.
package pcre

import (
	"errors"
	"fmt"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/rulefile/pcre2"
)

// Driver is the pcre: map type.
var Driver = maptypes.Driver{
	Type: "pcre",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		return rulefile.Open(&syntax, env, name, mode, flags)
	},
}

var syntax = rulefile.Syntax{
	Type:     "pcre",
	Defaults: pcre2.Caseless | pcre2.DotAll,
	Options: map[byte]uint32{
		'i': pcre2.Caseless,
		'm': pcre2.Multiline,
		's': pcre2.DotAll,
		'x': pcre2.Extended,
		'A': pcre2.Anchored,
		'E': pcre2.DollarEndOnly,
		'U': pcre2.Ungreedy,
	},
	Obsolete:   "X",
	Unclosed:   "ignoring this rule",
	OutOfRange: "out of range",
	Compile:    compile,
	NewMemory:  newMemory,
	Portable:   portable,
}

// compile compiles an expression. PCRE2 has no use for knowing that groups are
// not asked for.
func compile(expr string, options uint32, _ bool) (rulefile.Pattern, error) {
	re, err := pcre2.Compile(expr, options)
	if bad, ok := errors.AsType[*pcre2.CompileError](err); ok {
		return nil, fmt.Errorf("error in regex at offset %d: %w", bad.Offset, bad)
	}
	if err != nil {
		return nil, err
	}
	return pattern{re}, nil
}

// portable implements rulefile.Syntax.
func portable(expr string, options uint32) (text string, extended, ok bool) {
	return expr, options&pcre2.Extended != 0, true
}
