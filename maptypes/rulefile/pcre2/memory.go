//go:build !pcre2 || !cgo

package pcre2

import (
	"context"
	"unsafe"
)

// maxMatches is how many matches one lookup makes before others have a turn.
const maxMatches = 32

// Memory is what matching needs besides the expression. The matches of one
// lookup, which one goroutine makes for one key that does not change, go faster
// with the same Memory. The zero Memory is ready for use.
type Memory struct {
	w       *worker // nil when there is none for now
	matches int     // made with it
	sane    bool    // no panic has left it in the middle of a match
}

// worker returns the worker of the memory.
func (m *Memory) worker(ctx context.Context) (*worker, error) {
	if m.matches == maxMatches {
		m.Release()
	}
	if m.w == nil {
		w, err := take(ctx)
		if err != nil {
			return nil, err
		}
		m.w = w
	}
	m.matches++
	return m.w, nil
}

// Release ends a lookup. The memory can be used for another one.
func (m *Memory) Release() {
	if m.w != nil {
		m.w.last = nil
		m.w.release(m.sane)
	}
	*m = Memory{}
}

// subject copies a key into the worker's memory, unless it is there.
func (w *worker) subject(key []byte) (uintptr, error) {
	if len(key) > 0 && len(key) == w.length && unsafe.SliceData(key) == w.last {
		return w.key, nil
	}
	w.last = nil
	text, err := w.text(key)
	if err == nil {
		w.last, w.length = unsafe.SliceData(key), len(key)
	}
	return text, err
}
