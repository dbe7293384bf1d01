package maptypes

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// State tells a cache whether a table may by now answer differently because a
// file has changed: one that the table sees changes in by itself, or one of a
// table nested in it. A table that is opened anew has a new State. What changes
// in a server is not seen.
type State struct {
	files  []stamp // as they were when the table was opened
	nested *nested
	seen   atomic.Pointer[sighting]
}

// sighting is what a State saw at one time. It does not change.
type sighting struct {
	version uint64
	files   []stamp
	nested  []uint64 // versions
}

// versions counts sightings: no two, of whatever table, have the same number.
var versions atomic.Uint64

// newState returns the state of a table with the given files and nested tables.
// Files that are read as a whole are not looked at: a change makes a new table.
func newState(files watch, nested *nested) *State {
	s := &State{nested: nested}
	if files.replacedOnly {
		s.files = files.files
	}
	return s
}

// Version returns a number that is another one when a file has changed since the
// last call. The second result is false when a file has changed so recently that
// a further change might not show, or when a nested table cannot be opened: what
// is looked up now must not be kept. Without changes it allocates nothing and
// takes no lock.
func (s *State) Version(ctx context.Context) (version uint64, settled bool) {
	for {
		seen := s.seen.Load()
		if seen != nil {
			if same, settled := s.compare(ctx, seen); same {
				return seen.version, settled
			}
		}
		// Of several that see a change at once one gives it its number.
		if now, settled := s.look(ctx); s.seen.CompareAndSwap(seen, now) {
			return now.version, settled
		}
	}
}

// compare reports whether all is as it was, and whether that is settled.
func (s *State) compare(ctx context.Context, seen *sighting) (same, settled bool) {
	nested := s.nested.all()
	if len(nested) != len(seen.nested) {
		return false, false
	}
	settled = true
	for i := range s.files {
		now := stamp{path: s.files[i].path}
		now.read()
		if now != seen.files[i] {
			return false, false
		}
		settled = settled && now.settled()
	}
	for i, h := range nested {
		version, ok := h.version(ctx)
		if version != seen.nested[i] {
			return false, false
		}
		settled = settled && ok
	}
	return true, settled
}

// look returns what there is to see now, and whether it is settled.
func (s *State) look(ctx context.Context) (now *sighting, settled bool) {
	now = &sighting{version: versions.Add(1), files: slices.Clone(s.files)}
	settled = true
	for i := range now.files {
		now.files[i].read()
		settled = settled && now.files[i].settled()
	}
	for _, h := range s.nested.all() {
		version, ok := h.version(ctx)
		now.nested = append(now.nested, version)
		settled = settled && ok
	}
	return now, settled
}

// settled reports whether a further change of the file would show.
func (s *stamp) settled() bool {
	return s.missing || time.Since(time.Unix(s.ctime.Unix())) > racyWindow
}

// version is State.Version of the present instance.
func (h *Handle) version(ctx context.Context) (version uint64, settled bool) {
	in, err := h.acquire(ctx)
	if err != nil {
		return 0, false
	}
	defer in.release()
	return in.state.Version(ctx)
}

// nested are the tables that a table has opened.
type nested struct {
	handles atomic.Pointer[[]*Handle]
}

// add adds a table; a driver may open one at any time.
func (n *nested) add(h *Handle) {
	for {
		old := n.handles.Load()
		list := append(slices.Clip(n.all()), h)
		if n.handles.CompareAndSwap(old, &list) {
			return
		}
	}
}

// all returns the tables.
func (n *nested) all() []*Handle {
	if list := n.handles.Load(); list != nil {
		return *list
	}
	return nil
}
