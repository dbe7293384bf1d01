package master

import (
	"context"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
)

// system is what a supervisor needs from the operating system. The real one is
// a kernel; tests script their own.
type system interface {
	// Listen makes the listening sockets of a service.
	Listen(*service) error
	// Unlisten closes them in the master; workers keep their copies.
	Unlisten(*service)
	// Watch turns on or off the reports of clients that wait at a service's
	// sockets (supervisor.clientWaiting).
	Watch(s *service, on bool)
	// ClientWaiting says whether a client waits at this moment.
	ClientWaiting(*service) bool
	// OpenStatus makes a new status channel in place of the one there is, if
	// any; CloseStatus only closes it. Either tells the workers that have the
	// old one to leave when they can. After an error nothing has changed.
	OpenStatus(*service) error
	CloseStatus(*service)
	// ReadStatus reads one status message, as it came. It does not wait:
	// errNoStatus says that there is none, errStatusClosed that a worker has
	// made the channel useless. The bytes are valid until the next call.
	ReadStatus(*service) ([]byte, error)
	// Spawn starts a worker and gives its process ID.
	Spawn(s *service, generation uint32, stressed bool) (int, error)
	// Terminate sends SIGTERM to a worker.
	Terminate(pid int)
	// Reap gives the next child that has ended (or was stopped), if any.
	Reap() (pid int, status syscall.WaitStatus, ok bool)
	// Trigger sends a wakeup request to a service, without waiting.
	Trigger(*service)
}

// supervisor holds the services and their workers. All its methods but post
// must be called from the goroutine that executes run, or before run.
type supervisor struct {
	sys system
	log logrus.FieldLogger

	services   []*service     // in the order of master.cf
	children   map[int]*child // by process ID, of all services, removed ones too
	generation uint32         // of the last worker started

	events chan func()
	done   chan struct{} // closed when run has returned
}

func newSupervisor(sys system, log logrus.FieldLogger) *supervisor {
	return &supervisor{
		sys:      sys,
		log:      log,
		children: make(map[int]*child),
		events:   make(chan func()),
		done:     make(chan struct{}),
	}
}

// post has the event loop execute f. It waits until the loop takes f, and drops
// f when the loop has ended.
func (m *supervisor) post(f func()) {
	select {
	case m.events <- f:
	case <-m.done:
	}
}

// run executes events until ctx is cancelled. A panic in an event ends the loop
// with an error that has the stack: the state is not to be trusted any more.
func (m *supervisor) run(ctx context.Context) (err error) {
	defer close(m.done)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v\n%s", r, debug.Stack())
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-m.events:
			f()
		}
	}
}

// alarm is a timer whose function is executed by the event loop.
type alarm struct {
	timer   *time.Timer
	stopped bool
}

// after has the event loop execute f after d, unless the alarm is stopped.
func (m *supervisor) after(d time.Duration, f func()) *alarm {
	a := &alarm{}
	a.timer = time.AfterFunc(d, func() {
		m.post(func() {
			// The timer may have expired while an event stopped it.
			if !a.stopped {
				f()
			}
		})
	})
	return a
}

// stop cancels an alarm; a nil alarm is fine.
func (a *alarm) stop() {
	if a != nil {
		a.stopped = true
		a.timer.Stop()
	}
}

// startService puts a definition into service. Its sockets exist already.
func (m *supervisor) startService(s *service) error {
	if err := m.sys.OpenStatus(s); err != nil {
		return err
	}
	s.children = make(map[int]*child)
	s.condWake = s.wakeupOnUse
	m.services = append(m.services, s)
	m.updateListening(s)
	m.startWakeups(s)
	return nil
}

// stopService takes a service out. Its workers get a SIGTERM; their records stay
// until they are reaped.
func (m *supervisor) stopService(s *service) {
	s.removed = true
	m.stopWakeups(s)
	s.throttle.stop()
	s.throttle = nil
	m.updateListening(s)
	m.drainStatus(s)
	m.sys.CloseStatus(s)
	m.sys.Unlisten(s)
	for pid := range s.children {
		m.sys.Terminate(pid)
	}
	for i, other := range m.services {
		if other == s {
			m.services = append(m.services[:i:i], m.services[i+1:]...)
			break
		}
	}
}

// restartService replaces the status channel of a service, which makes its
// workers leave when they have finished with their clients; the next ones run
// with the service's present settings. Wakeups start afresh.
//
// The workers that leave are not counted as available any more. They could not
// say that they are busy, and clients that come after a worker took its last
// client must not wait for it.
func (m *supervisor) restartService(s *service) error {
	m.stopWakeups(s)
	m.drainStatus(s)
	err := m.sys.OpenStatus(s)
	if err == nil {
		m.disownChildren(s)
	}
	m.startWakeups(s)
	m.updateListening(s)
	return err
}

// disownChildren takes note that the workers of a service cannot report any more.
func (m *supervisor) disownChildren(s *service) {
	for _, c := range s.children {
		c.stale = true
		if c.available {
			c.available = false
			s.available--
		}
	}
}
