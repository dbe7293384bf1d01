package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/maillog"
)

const (
	// acceptPause is how long a listening socket is left alone after an error such as "too many open files".
	acceptPause = time.Second
	// leaveLimit is how long requests may take after the master has gone or a signal has come.
	leaveLimit = 30 * time.Second
)

// worker accepts clients and knows when to stop. Whether it accepts is one bit, open; a listener that notices that the
// bit is off parks. The worker ends when all listeners are parked and there is no client: a client that has been
// accepted cannot get lost in between.
type worker struct {
	settings
	log       *logrus.Logger
	serve     func(context.Context, net.Conn)
	exit      func()
	name      string
	notify    func(status uint32) error // to the master
	ctx       context.Context           // cancelled when the worker has to end
	cancel    context.CancelFunc
	listeners []listener
	alone     bool // nobody else would take the clients that we do not
	master    *master
	own       bool // leads its own session

	quietAtFirst, quietAfter time.Duration // see parking

	mu       sync.Mutex
	change   *sync.Cond // open or ended has changed
	open     bool
	parked   int // listeners that have stopped accepting
	clients  map[*conn]struct{}
	accepted int
	used     int // clients that have left, as Postfix counts them
	phase    phase
	stayed   bool      // max_use is reached, but there was nobody else to take the clients
	since    time.Time // when the last client left
	idle     *time.Timer
	parking  *parking // nil before the first client is quiet
	ended    bool
	proved   bool // has answered a request
	result   error
	done     chan struct{}
}

// phase says why the worker accepts clients or does not.
type phase int

const (
	serving  phase = iota
	full           // as many clients as it may have at a time
	draining       // max_use is reached; serves the clients that it has
	idling         // max_idle is over; ends unless a client has just come in
	leaving        // the master is gone, or a signal has come
)

func newWorker(opt Options, set settings, log *logrus.Logger, s Service, m *master, listeners []listener) *worker {
	w := &worker{settings: set, log: log, serve: s.Serve, exit: s.Exit, name: s.Name, listeners: listeners,
		alone: opt.Alone, master: m, own: s.OwnSession, clients: map[*conn]struct{}{}, done: make(chan struct{}),
		quietAtFirst: quietAtFirst, quietAfter: quietAfter}
	w.notify = func(status uint32) error {
		err := m.notify(status)
		log.Tracef("status %d: %v", status, err)
		return err
	}
	w.change = sync.NewCond(&w.mu)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// run serves clients until it is time to leave. The error is fatal.
func (w *worker) run() error {
	defer w.cancel()
	go func() {
		w.master.gone()
		w.leave("master disconnect -- exiting")
	}()
	if w.own {
		stop := w.leaveOnSignal()
		defer stop()
	}
	if err := w.serveClients(); err != nil {
		return err
	}
	if w.exit != nil {
		w.exit()
	}
	return nil
}

// serveClients is run without the outside world.
func (w *worker) serveClients() error {
	w.mu.Lock()
	w.open = w.phase == serving // the master may be gone already
	w.startIdle()
	w.mu.Unlock()
	stop := w.startWatchdog()
	defer stop()
	for _, l := range w.listeners {
		go w.accept(l)
	}
	<-w.done
	return w.result
}

// accept takes clients from one listening socket until the worker ends.
func (w *worker) accept(l listener) {
	for w.waitOpen() {
		client, err := l.Accept()
		switch {
		case err == nil:
			w.begin(client)
		case errors.Is(err, os.ErrDeadlineExceeded): // closed
		default:
			w.log.Errorf("accept connection: %v", err)
			select {
			case <-time.After(acceptPause):
			case <-w.ctx.Done():
			}
		}
	}
}

// waitOpen parks the listener while the worker does not accept. It returns false when the worker has ended.
func (w *worker) waitOpen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open {
		return true
	}
	w.parked++
	w.decide()
	for !w.open && !w.ended {
		w.change.Wait()
	}
	w.parked--
	return !w.ended
}

// begin starts to serve a client.
func (w *worker) begin(client net.Conn) {
	c := &conn{Conn: client, timeout: w.ipcTimeout, leaving: w.isLeaving,
		parks: true, first: w.quietAtFirst, after: w.quietAfter}
	c.answered = w.firstAnswer
	w.mu.Lock()
	w.clients[c] = struct{}{}
	w.accepted++
	if w.idle != nil {
		w.idle.Stop()
	}
	if w.phase == draining { // accepted at the last moment: now another worker is needed for the next one
		w.tell(statusTaken)
	}
	w.decide()
	w.mu.Unlock()
	w.log.Debugf("%s: connection established", w.name)
	go w.handle(c, func(ctx context.Context) { w.serve(ctx, c) })
}

// handle serves a client until it leaves or is quiet.
func (w *worker) handle(c *conn, serve func(context.Context)) {
	for serve != nil {
		c.next = nil
		w.turn(serve)
		if serve = c.next; serve != nil && w.park(c) {
			return
		}
		c.parks = false
	}
	w.log.Debugf("%s: connection closed", w.name)
	w.end(c)
}

// turn serves a client until Serve returns.
func (w *worker) turn(serve func(context.Context)) {
	defer w.survive()
	serve(w.ctx)
}

// survive keeps a panic to the client that it happened with.
func (w *worker) survive() {
	if cause := recover(); cause != nil {
		w.log.Errorf("%s: panic while serving a client: %v", w.name, cause)
		maillog.Lines(w.log, logrus.ErrorLevel, string(debug.Stack()))
	}
}

// end closes the connection of a client and counts it.
func (w *worker) end(c *conn) {
	c.Conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.clients, c)
	w.used++
	if len(w.clients) == 0 {
		w.startIdle()
	}
	w.decide()
}

func (w *worker) isLeaving() bool { return w.ctx.Err() != nil }

// fail ends the worker at once, whatever it is doing.
func (w *worker) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish(fmt.Errorf(format, args...))
}

// finish ends the worker. w.mu is held.
func (w *worker) finish(result error) {
	if w.ended {
		return
	}
	w.setOpen(false)
	w.ended = true
	w.result = result
	if w.idle != nil {
		w.idle.Stop()
	}
	close(w.done)
	w.change.Broadcast()
}
