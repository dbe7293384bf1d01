// Package pcre2 is the PCRE2 engine of the pcre: map type, and of regexp: in
// builds without cgo. It wraps a translation of the PCRE2 library to Go, or
// PCRE2 itself when the build tag pcre2 is set.
package pcre2

// Options of an expression, with the values of pcre2.h (PCRE2_CASELESS ...).
const (
	Caseless      uint32 = 0x00000008
	DollarEndOnly uint32 = 0x00000010
	DotAll        uint32 = 0x00000020
	Extended      uint32 = 0x00000080
	Multiline     uint32 = 0x00000400
	Ungreedy      uint32 = 0x00040000
	Anchored      uint32 = 0x80000000
)

// heapLimit is how much memory, in KiB, one match may use for backtracking; a
// key of 100 kB takes about 20 MB when an expression steps back at every byte.
// PCRE2's own limit is 20 GB.
const heapLimit = 64 << 10

// CompileError says why an expression cannot be compiled.
type CompileError struct {
	Offset  int    // in bytes from the start of the expression
	Code    int    // number of the error in PCRE2
	Message string // PCRE2's text
}

func (e *CompileError) Error() string { return e.Message }

// MatchError says why matching was given up, mostly that a limit was reached.
type MatchError struct {
	Code    int // negative; pcre2api(3)
	Message string
}

func (e *MatchError) Error() string { return e.Message }
