package service

import (
	"os"
	"runtime"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/maillog"
)

const (
	// watchdogSteps is how often the watchdog looks within daemon_timeout, so that one jump of the clock does not end
	// a sound process.
	watchdogSteps = 3
	// dieAfter is how long a stuck process may take to say so.
	dieAfter = 5 * time.Second
	// maxStacks is how much of the stacks is logged, in bytes.
	maxStacks = 16 << 10
)

// progress is what the watchdog compares. It changes whenever something is accomplished.
type progress struct {
	accepted, used int
	ops            uint64
}

// startWatchdog ends the process when it is stuck: it has requests to work on, and for daemon_timeout nothing at all
// has been read, written, accepted or finished. A process without requests is not stuck, and neither is one that waits
// for its clients.
func (w *worker) startWatchdog() (stop func()) {
	if w.watchdog <= 0 {
		return func() {}
	}
	quit := make(chan struct{})
	go func() {
		tick := time.NewTicker(w.watchdog / watchdogSteps)
		defer tick.Stop()
		last, _ := w.look()
		for missed := 0; ; {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			now, busy := w.look()
			if !busy || now != last {
				missed = 0
			} else if missed++; missed == watchdogSteps {
				w.bark()
				return
			}
			last = now
		}
	}()
	return func() { close(quit) }
}

// look returns what has been accomplished, and whether a request is being worked on.
func (w *worker) look() (now progress, busy bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now = progress{accepted: w.accepted, used: w.used}
	for c := range w.clients {
		now.ops += c.ops.Load()
		busy = busy || !c.waiting.Load()
	}
	return now, busy
}

// bark says where the process hangs and ends it, even if the log hangs as well.
func (w *worker) bark() {
	reaper := time.AfterFunc(dieAfter, func() { os.Exit(1) })
	defer reaper.Stop()
	stacks := make([]byte, maxStacks)
	maillog.Lines(w.log, logrus.InfoLevel, string(stacks[:runtime.Stack(stacks, true)]))
	w.fail("watchdog timeout")
}
