//go:build !pcre2 || !cgo

package pcre2

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"

	"go.elara.ws/pcre/lib"
	"modernc.org/libc"
)

// worker is what one match at a time needs: the thread-local state of the
// translated library and memory for keys and offsets, which lie outside the Go
// heap because the library keeps addresses as numbers. Workers are used again
// and never freed.
type worker struct {
	tls     *libc.TLS
	scratch uintptr // scratchSize bytes for numbers and messages
	mctx    uintptr // match context with the heap limit
	data    uintptr // match data with room for pairs offsets
	pairs   int
	key     uintptr // size bytes
	size    int
	last    *byte // the key in there, of the lookup in progress
	length  int   // of it, in bytes
}

const scratchSize = 16 + 256

// A key longer than this is not kept room for.
const keepKey = 64 << 10

var errMemory = errors.New("out of memory")

// Matching is all computation, so more workers than processors only bound the
// time that one waits for another.
var (
	maxWorkers = int32(max(8, 2*runtime.NumCPU()))
	workers    atomic.Int32
	idle       = make(chan *worker, maxWorkers)
)

// take returns a worker that nobody else uses. release gives it back.
func take(ctx context.Context) (*worker, error) {
	select {
	case w := <-idle:
		return w, nil
	default:
	}
	if workers.Add(1) <= maxWorkers {
		w, err := newWorker()
		if err != nil {
			workers.Add(-1)
		}
		return w, err
	}
	workers.Add(-1)
	select {
	case w := <-idle:
		return w, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newWorker() (*worker, error) {
	w := &worker{tls: libc.NewTLS()}
	w.scratch = libc.Xmalloc(w.tls, scratchSize)
	w.mctx = lib.Xpcre2_match_context_create_8(w.tls, 0)
	if w.scratch == 0 || w.mctx == 0 {
		w.tls.Close()
		return nil, errMemory
	}
	lib.Xpcre2_set_heap_limit_8(w.tls, w.mctx, heapLimit)
	return w, nil
}

// release gives a worker back. After a panic its memory is not to be trusted,
// and another worker takes its place.
func (w *worker) release(sane bool) {
	if !sane {
		workers.Add(-1)
		return
	}
	if w.size > keepKey {
		libc.Xfree(w.tls, w.key)
		w.key, w.size = 0, 0
	}
	idle <- w
}

// text copies b into the worker's memory.
func (w *worker) text(b []byte) (uintptr, error) {
	if len(b) >= w.size {
		if w.key != 0 {
			libc.Xfree(w.tls, w.key)
		}
		w.size = max(256, len(b)+1)
		if w.key = libc.Xmalloc(w.tls, lib.Tsize_t(w.size)); w.key == 0 {
			w.size = 0
			return 0, errMemory
		}
	}
	copy(unsafe.Slice((*byte)(pointer(w.key)), w.size), b)
	return w.key, nil
}

// room makes room for the offsets of so many groups, group 0 included.
func (w *worker) room(pairs int) error {
	if pairs <= w.pairs {
		return nil
	}
	if w.data != 0 {
		lib.Xpcre2_match_data_free_8(w.tls, w.data)
	}
	w.pairs = max(pairs, 16)
	if w.data = lib.Xpcre2_match_data_create_8(w.tls, uint32(w.pairs), 0); w.data == 0 {
		w.pairs = 0
		return errMemory
	}
	return nil
}
