//go:build cgo && libdb

package bdbmap

import (
	"os"
	"syscall"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

// rest is how many times the duration of a check must pass before the next one: a
// file of more than large bytes that two programs change in turns is not checked
// all the time.
const (
	rest  = 20
	large = 1 << 20
)

// guard decides whether the file has to be checked before the library may change
// it: when it is not as it was after our last change.
type guard struct {
	known   bool
	state   fileState
	checked time.Time     // when the last check ended
	took    time.Duration // how long it took
}

// fileState tells changes of a file apart, but for those in the same tick of the
// clock.
type fileState struct {
	ino   uint64
	size  int64
	mtime syscall.Timespec
}

func stateOf(f *os.File) (s fileState, ok bool) {
	info, err := f.Stat()
	if err != nil {
		return s, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return s, false
	}
	return fileState{st.Ino, st.Size, st.Mtim}, true
}

// wrote remembers the file after a change of ours.
func (g *guard) wrote(f *os.File) { g.state, g.known = stateOf(f) }

// check returns an error if the library must not be let near the file.
func (g *guard) check(f *os.File, kind bdb.Kind) error {
	now, ok := stateOf(f)
	if g.known && ok && (now == g.state || g.resting(now)) {
		return nil
	}
	g.known = false
	start := time.Now()
	v, err := bdb.NewFile(f, sizeOf(f), kind).View()
	if err != nil {
		return err
	}
	if err := v.Check(); err != nil {
		return err
	}
	g.checked = time.Now()
	g.took = g.checked.Sub(start)
	return nil
}

// resting reports whether the last check of a large file was a moment ago.
func (g *guard) resting(now fileState) bool {
	return now.size > large && now.ino == g.state.ino && time.Since(g.checked) < rest*g.took
}
