package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// wire is a connection after the login, without TLS. Queries are sent without
// waiting for the answers to those before, and the server answers them one after
// the other: that saves each lookup the time that an answer and the next query
// are on the way, and many lookups have one write in common.
//
// There is no goroutine that reads: the lookup whose answer comes next does, and
// has the next one go on.
type wire struct {
	net    net.Conn
	depth  int // limit of queries in progress
	reader reader

	mu      sync.Mutex
	out     []byte      // queries that are not sent yet
	spare   []byte      // room for the next ones
	writing bool        // somebody sends, and will send the rest
	queue   []*exchange // in the order of the answers; the first one reads
	since   time.Time   // when the first one became that
	used    time.Time   // when the last answer was there
	err     error       // why the connection is of no more use
}

// exchange is one query and its answer. It is told once when it is its turn to
// read, or when the connection is lost.
type exchange struct{ turn chan struct{} }

// Queries that wait behind one that takes longer than patience would do better on
// another connection, or with the next one that is free.
const patience = 5 * time.Millisecond

// freshness is how long after an answer a connection is taken to be open without
// asking the system. A query on one that is not is sent again anyway.
const freshness = time.Second

func newWire(conn net.Conn, eof bool, depth int) *wire {
	w := &wire{net: conn, depth: depth}
	w.reader.init(conn, eof)
	return w
}

// query sends a statement and reads its answer, as conn.query says.
func (w *wire) query(ctx context.Context, statement []byte, add func([]byte) error) (got bool, err error) {
	if len(statement) >= maxPacket-1 {
		return false, errLongStatement
	}
	x := &exchange{turn: make(chan struct{}, 1)}
	stop := context.AfterFunc(ctx, func() { w.fail(context.Cause(ctx)) })
	defer stop()
	first, err := w.send(x, statement)
	if err != nil {
		return false, backend.Lost(err)
	}
	if !first {
		<-x.turn
	}
	if err := w.lost(); err != nil {
		return false, backend.Lost(err)
	}
	got, err = w.reader.answer(add)
	var broken *wireError
	if errors.As(err, &broken) {
		w.fail(broken.err)
		if ctx.Err() != nil {
			return false, backend.Lost(context.Cause(ctx))
		}
		return false, backend.Lost(reason(broken.err))
	}
	w.next(x)
	if err != nil {
		return got, lostUnlessServer(err)
	}
	return got, nil
}

// send puts a query into the queue and sends it, unless another goroutine does.
// It reports whether the answer is the next one.
func (w *wire) send(x *exchange, statement []byte) (first bool, err error) {
	const comQuery = 3
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return false, w.err
	}
	n := len(statement) + 1
	w.out = append(w.out, byte(n), byte(n>>8), byte(n>>16), 0, comQuery)
	w.out = append(w.out, statement...)
	w.queue = append(w.queue, x)
	if first = len(w.queue) == 1; first {
		w.since = time.Now()
	}
	if !w.writing {
		w.flush()
	}
	return first, nil
}

// flush sends what there is. w.mu is held, but not while it sends.
func (w *wire) flush() {
	w.writing = true
	if len(w.queue) > 1 {
		// Other lookups that are about to be sent join this write.
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
	}
	for len(w.out) > 0 && w.err == nil {
		data := w.out
		w.out = w.spare[:0]
		w.mu.Unlock()
		_, err := w.net.Write(data)
		w.mu.Lock()
		w.spare = data
		if err != nil {
			w.failed(reason(err))
		}
	}
	w.writing = false
}

// next has the next answer read.
func (w *wire) next(x *exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || w.queue[0] != x {
		return
	}
	w.queue = slices.Delete(w.queue, 0, 1)
	w.used = time.Now()
	w.since = w.used
	if len(w.queue) > 0 {
		w.queue[0].turn <- struct{}{}
	}
}

// fail ends the connection: whoever uses it has lost it.
func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed(err)
}

// failed is fail with w.mu held.
func (w *wire) failed(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	w.net.Close()
	for _, x := range w.queue {
		select {
		case x.turn <- struct{}{}:
		default: // it is told already
		}
	}
}

// lost returns why the connection is of no more use, or nil.
func (w *wire) lost() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// room reports whether one more query does well to be sent now.
func (w *wire) room() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.queue)
	return w.err == nil && n < w.depth && (n == 0 || time.Since(w.since) < patience)
}

// busy reports whether there are queries in progress.
func (w *wire) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) > 0
}

// alive reports whether the connection, which nobody uses, is open, and the
// server has sent nothing that nobody asked for.
func (w *wire) alive() bool {
	w.mu.Lock()
	recent := time.Since(w.used) < freshness
	err := w.err
	w.mu.Unlock()
	if err != nil || w.reader.buffered() > 0 {
		return false
	}
	return recent || backend.Silent(w.net)
}

// tap is the connection during the login. It learns from the first message that
// the client sends in which form results end.
type tap struct {
	net.Conn
	told bool
	eof  bool // results end as in older versions
}

// clientDeprecateEOF is the capability of that name
// (https://mariadb.com/kb/en/connection/, "capabilities").
const clientDeprecateEOF = 1 << 24

func (t *tap) Write(p []byte) (int, error) {
	if !t.told && len(p) >= 8 {
		t.told, t.eof = true, binary.LittleEndian.Uint32(p[4:])&clientDeprecateEOF == 0
	}
	return t.Conn.Write(p)
}
