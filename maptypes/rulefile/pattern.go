package rulefile

import "context"

// Pattern is one compiled regular expression. Match is called by several
// goroutines at once.
type Pattern interface {
	// Match reports whether the expression matches somewhere in key. memory is
	// what Syntax.NewMemory returned, or nil. Of the groups, offsets receives the
	// start and end of as many as it has room for, starting with group 0, the
	// whole match; -1 stands for a group that matched nothing. An error says that
	// matching was given up: ctx ended, or a limit of the engine was reached.
	Match(ctx context.Context, memory Memory, key []byte, offsets []int32) (bool, error)

	// Groups returns the number of groups in the expression.
	Groups() int

	// Close releases what the pattern holds.
	Close()
}

// Memory is what an engine keeps from one match to the next of the same lookup.
// The key must not change before Release; after it, the memory serves another
// lookup.
type Memory interface {
	Release()
}

// Syntax is where regexp tables and pcre tables differ.
type Syntax struct {
	// Type is the name of the map type.
	Type string

	// Defaults are the options of an expression without option letters, and
	// Options says which option each letter inverts. The values are those of
	// Compile.
	Defaults uint32
	Options  map[byte]uint32

	// Obsolete are option letters that only give a warning.
	Obsolete string

	// Second is set when a rule may have a second pattern that must hold as
	// well: /pattern1/!/pattern2/ result.
	Second bool

	// Unclosed ends the message about a missing closing delimiter, and
	// OutOfRange begins the one about $0; Postfix's wording varies.
	Unclosed, OutOfRange string

	// LastBackslash is set when a backslash that ends the line also ends the
	// expression, in place of the closing delimiter.
	LastBackslash bool

	// Compile compiles an expression. groups is false when only the fact of a
	// match is asked for. The error text stands alone after "TYPE map NAME,
	// line N: ".
	Compile func(expr string, options uint32, groups bool) (Pattern, error)

	// First tries some patterns in their order, up to the first that matches (hit)
	// or is given up (err), or fewer; tried says how many, at least one. There are
	// at most MaxFirst. A nil First: they are matched one by one.
	First func(ctx context.Context, patterns []Pattern, key []byte) (tried int, hit bool, err error)

	// NewMemory returns memory for Pattern.Match. It is nil when the engine has
	// no use for any.
	NewMemory func() Memory

	// Portable returns an expression in PCRE2's syntax, for package prefilter,
	// and whether white space in it means nothing. ok is false when there is no
	// such form. A nil Portable: there never is.
	Portable func(expr string, options uint32) (text string, extended, ok bool)
}
