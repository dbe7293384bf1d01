package service

import (
	"time"
)

// lookInterval is how often a worker that has reached max_use looks whether anybody else takes the clients.
const lookInterval = time.Second

// past is a deadline that is over.
var past = time.Unix(1, 0)

// decide finds out what changes after an event: a client came or left, a listener parked, a time is over. w.mu is held.
func (w *worker) decide() {
	switch w.phase {
	case serving:
		switch {
		case w.usedUp() && (len(w.clients) == 0 || !w.alone && !w.stayed):
			w.drain()
		case len(w.clients) >= w.maxClients:
			w.phase = full
			w.setOpen(false)
			w.tell(statusTaken)
		}
	case full:
		if len(w.clients) < w.maxClients {
			w.resume()
			w.decide()
		}
	case idling:
		if len(w.clients) > 0 { // accepted while the time ran out
			w.phase = serving
			w.setOpen(true)
		}
	}
	if (w.phase == draining || w.phase == idling || w.phase == leaving) && len(w.clients) == 0 &&
		w.parked == len(w.listeners) {
		w.finish(nil)
	}
}

// usedUp is true after max_use clients. Postfix counts a client when it leaves.
func (w *worker) usedUp() bool { return w.maxUse > 0 && w.used >= w.maxUse }

// drain stops accepting clients, for good unless nobody else takes them.
func (w *worker) drain() {
	w.log.Debugf("max_use reached after %d clients, %d left", w.used, len(w.clients))
	w.phase = draining
	w.setOpen(false)
	if len(w.clients) > 0 {
		w.tell(statusTaken) // the master starts another worker when one is needed
	}
	w.lookLater(false)
}

// lookLater looks after the clients in the queue while the worker drains. The master may not be able to start another
// worker, because of the process limit of the service. A client that has been waiting for two looks is taken, and the
// worker then goes on as Postfix's workers do, until there is a moment without clients.
func (w *worker) lookLater(waitedBefore bool) {
	time.AfterFunc(lookInterval, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.phase != draining || w.ended {
			return
		}
		waits := w.pending()
		if !waits || !waitedBefore {
			w.lookLater(waits)
			return
		}
		w.log.Debug("max_use reached, but nobody else takes the clients")
		w.stayed = true
		w.resume()
	})
}

func (w *worker) pending() bool {
	for _, l := range w.listeners {
		if l.Pending() {
			return true
		}
	}
	return false
}

// resume accepts clients again and says so.
func (w *worker) resume() {
	w.phase = serving
	w.setOpen(true)
	w.tell(statusAvailable)
}

// startIdle starts the clock of max_idle. w.mu is held.
func (w *worker) startIdle() {
	if w.maxIdle <= 0 {
		return
	}
	w.since = time.Now()
	if w.idle == nil {
		w.idle = time.AfterFunc(w.maxIdle, w.idleOver)
	} else {
		w.idle.Reset(w.maxIdle)
	}
}

func (w *worker) idleOver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase != serving || len(w.clients) > 0 || time.Since(w.since) < w.maxIdle {
		return
	}
	w.log.Debug("idle timeout -- exiting")
	w.phase = idling
	w.setOpen(false)
	w.decide()
}

// leave ends the worker as soon as the requests that are being worked on have been answered.
func (w *worker) leave(why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaveLocked(why)
}

func (w *worker) leaveLocked(why string) {
	if w.phase == leaving || w.ended {
		return
	}
	w.phase = leaving
	w.setOpen(false)
	w.cancel()
	w.log.Debug(why)
	time.AfterFunc(leaveLimit, func() { w.fail("%s: a request took longer than %v to finish", w.name, leaveLimit) })
	w.decide()
}

// setOpen lets the listeners accept clients, or makes them stop without taking another one.
func (w *worker) setOpen(open bool) {
	if open == w.open {
		return
	}
	deadline := past
	if open {
		deadline = time.Time{}
	}
	for _, l := range w.listeners {
		if err := l.SetDeadline(deadline); err != nil {
			w.log.Errorf("listening socket: %v", err)
		}
	}
	w.open = open
	w.change.Broadcast()
}

// tell sends the master a status. When nobody reads it, the master is gone.
func (w *worker) tell(status uint32) {
	if w.notify(status) != nil {
		w.leaveLocked("master disconnect -- exiting")
	}
}

// firstAnswer tells the master that the worker has proved itself: until it has been taken and available again, an exit
// with an error counts as a bad start, which stops the service for service_throttle_time.
func (w *worker) firstAnswer() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proved {
		return
	}
	w.proved = true
	if w.phase == serving {
		w.tell(statusTaken)
		w.tell(statusAvailable)
	}
}
