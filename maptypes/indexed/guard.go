package indexed

import (
	"io"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/indexed/pagetree"
)

// rest is how many times the duration of a check must pass before the next one:
// a large file that two programs change in turns is not checked all the time.
const rest = 20

// Guard decides whether a library may write to a file: after a check of the
// whole file, and again when somebody else has written to it. The library trusts
// the file, and would take the process down with it.
//
// It is used while the file is locked.
type Guard struct {
	known   bool
	own     bool // the library has written since the last call
	state   pagetree.Snapshot
	size    int64         // of the file, in bytes
	checked time.Time     // when the last check ended
	took    time.Duration // how long it took
}

// Wrote says that the library has changed the file since Check.
func (g *Guard) Wrote() { g.own = true }

// Check returns an error if the file must not be written to.
func (g *Guard) Check(src io.ReaderAt, size int64, format pagetree.Format) error {
	now, err := format.Snapshot(src, new(pagetree.Buffer))
	if err != nil {
		g.known = false
		return err
	}
	if size >= g.size && g.fresh(&now) {
		g.state, g.size, g.own = now, size, false
		return nil
	}
	start := time.Now()
	g.known = false
	if now, err = pagetree.Check(src, size, format); err != nil {
		return err
	}
	g.checked = time.Now()
	g.took = g.checked.Sub(start)
	g.known, g.state, g.size, g.own = true, now, size, false
	return nil
}

// fresh reports whether the file needs no check.
func (g *Guard) fresh(now *pagetree.Snapshot) bool {
	if !g.known {
		return false
	}
	if *now == g.state || g.own && now.Txn == g.state.Txn+1 {
		return true
	}
	return time.Since(g.checked) < rest*g.took
}
