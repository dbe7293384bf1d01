package filemap

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Recover ends a fault, and clears ok. Before the map is touched, a function says
//
//	defer filemap.Recover(&ok, debug.SetPanicOnFault(true))
//
// An index out of range ends here too: memory that changes between a check and
// its use has nothing to do with the check.
func Recover(ok *bool, before bool) {
	debug.SetPanicOnFault(before)
	if p := recover(); p != nil {
		if _, is := p.(runtime.Error); !is {
			panic(p)
		}
		*ok = false
	}
}

// pageSize is the unit in which a file comes and goes.
var pageSize = os.Getpagesize()

// End knows how to find out whether a file still reaches as far as it did: its
// last page is there, and so is the last byte of it that is not 0. A file that
// lost nothing but zeroes reads as before.
type End struct {
	at   int
	byte byte
}

// NewEnd returns the end of the file that mem, which is not empty, shows. The
// caller defers Recover.
func NewEnd(mem []byte) End {
	first := (len(mem) - 1) / pageSize * pageSize
	e := End{at: len(mem) - 1}
	for e.at > first && mem[e.at] == 0 {
		e.at--
	}
	e.byte = mem[e.at]
	return e
}

// There reports whether the file reaches as far as before, and therefore did while
// mem was read before the call, unless it was cut and made whole again meanwhile.
// The caller defers Recover.
func (e End) There(mem []byte) bool { return mem[e.at] == e.byte }
