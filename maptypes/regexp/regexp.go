// Package regexp implements the regexp: map type (regexp_table(5)): rules with
// POSIX regular expressions.
//
// With cgo the expressions are matched by the C library's regcomp(3) and
// regexec(3), as Postfix does. Without cgo they are translated for the PCRE2
// engine; docs/maps/regexp.md lists what differs then.
package regexp

import (
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// Driver is the regexp: map type.
var Driver = maptypes.Driver{
	Type: "regexp",
	Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		return rulefile.Open(&syntax, env, name, mode, flags)
	},
}

// The options of an expression.
const (
	optExtended   uint32 = 1 << iota // extended, not basic, syntax
	optIgnoreCase                    // letters match in both cases
	optNewline                       // ^ and $ match at newlines, which . does not match
)

var syntax = rulefile.Syntax{
	Type:     "regexp",
	Defaults: optExtended | optIgnoreCase,
	Options: map[byte]uint32{
		'i': optIgnoreCase,
		'm': optNewline,
		'x': optExtended,
	},
	Second:        true,
	Unclosed:      "skipping this rule",
	OutOfRange:    "out-of-range",
	LastBackslash: true,
	Compile:       compile,
	First:         first,
	NewMemory:     newMemory,
	Portable:      portable,
}
