package config

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a configuration, and where.
type Error struct {
	File  string // main.cf, master.cf, or "" for overrides and defaults
	Line  int    // first line of the logical line; 0 is unknown
	Param string // parameter (main.cf) or field (master.cf)
	Value string // its value, as far as it was expanded
	Err   error

	text string // the whole message, where Postfix has a wording of its own
}

// Error returns one line that names file, line, parameter and value as far as they are known.
func (e *Error) Error() string {
	if e.text != "" {
		return e.text
	}
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line != 0 {
			fmt.Fprintf(&b, ", line %d", e.Line)
		}
		b.WriteString(": ")
	}
	fmt.Fprint(&b, e.Err)
	if e.Param != "" {
		fmt.Fprintf(&b, ": %s = %s", e.Param, e.Value)
	}
	return oneLine(b.String())
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
