package master

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// script is a system whose clients and workers do what a test says. It records
// what the supervisor does to it.
type script struct {
	t        *testing.T
	m        *supervisor
	nextPid  int
	spawnErr error

	statusErr error // of opening status channels

	waiting  map[*service]int // clients in the listen queue
	watched  map[*service]bool
	messages map[*service][][]byte
	closed   map[*service]bool // the status channel was shut down
	channels map[*service]int  // status channels opened so far
	ended    []end

	spawned   []spawned
	triggered []trigger
	killed    []int
	unlistend []*service
	log       bytes.Buffer
	logLock   sync.Mutex
}

type end struct {
	pid    int
	status syscall.WaitStatus
}

type spawned struct {
	pid        int
	generation uint32
	argv       []string
	at         time.Time
}

type trigger struct {
	name string
	at   time.Time
}

func newScript(t *testing.T) *script {
	log := logrus.New()
	s := &script{
		t: t, nextPid: 100,
		waiting:  make(map[*service]int),
		watched:  make(map[*service]bool),
		messages: make(map[*service][][]byte),
		closed:   make(map[*service]bool),
		channels: make(map[*service]int),
	}
	log.SetOutput(io.Discard)
	log.SetLevel(logrus.InfoLevel)
	log.AddHook(s)
	s.m = newSupervisor(s, log)
	return s
}

// Levels and Fire make the script a logrus hook that keeps the log.
func (s *script) Levels() []logrus.Level { return logrus.AllLevels }
func (s *script) Fire(e *logrus.Entry) error {
	s.logLock.Lock()
	defer s.logLock.Unlock()
	s.log.WriteString(e.Level.String() + ": " + e.Message + "\n")
	return nil
}

func (s *script) Listen(*service) error         { return nil }
func (s *script) Unlisten(v *service)           { s.unlistend = append(s.unlistend, v) }
func (s *script) ClientWaiting(v *service) bool { return s.waiting[v] > 0 }
func (s *script) Terminate(pid int)             { s.killed = append(s.killed, pid) }
func (s *script) Trigger(v *service)            { s.triggered = append(s.triggered, trigger{v.name, time.Now()}) }
func (s *script) OpenStatus(v *service) error {
	if s.statusErr != nil {
		return s.statusErr
	}
	s.channels[v]++
	s.messages[v] = nil
	s.closed[v] = false
	return nil
}
func (s *script) CloseStatus(v *service) { s.messages[v] = nil }

func (s *script) Watch(v *service, on bool) {
	s.watched[v] = on
	if on && s.waiting[v] > 0 {
		go s.m.post(func() { s.m.clientWaiting(v) })
	}
}

func (s *script) ReadStatus(v *service) ([]byte, error) {
	if len(s.messages[v]) > 0 {
		b := s.messages[v][0]
		s.messages[v] = s.messages[v][1:]
		return b, nil
	}
	if s.closed[v] {
		return nil, errStatusClosed
	}
	return nil, errNoStatus
}

func (s *script) Spawn(v *service, generation uint32, stressed bool) (int, error) {
	if s.spawnErr != nil {
		return 0, s.spawnErr
	}
	s.nextPid++
	s.spawned = append(s.spawned, spawned{s.nextPid, generation, v.argv(stressed, false, false), time.Now()})
	return s.nextPid, nil
}

func (s *script) Reap() (int, syscall.WaitStatus, bool) {
	if len(s.ended) == 0 {
		return 0, 0, false
	}
	e := s.ended[0]
	s.ended = s.ended[1:]
	return e.pid, e.status, true
}

// What happens in the world outside; each returns when the supervisor has dealt
// with it.

// client has a client connect to a service.
func (s *script) client(v *service) {
	s.do(func() {
		s.waiting[v]++
		if s.watched[v] {
			s.m.clientWaiting(v)
		}
	})
}

// taken has a worker accept the client that waits and report it; available has it
// report that it is done.
func (s *script) taken(v *service, w spawned) {
	s.do(func() { s.waiting[v]-- })
	s.status(v, message(w.pid, w.generation, statusTaken))
}
func (s *script) available(v *service, w spawned) {
	s.status(v, message(w.pid, w.generation, statusAvailable))
}

// status has bytes arrive at a status channel.
func (s *script) status(v *service, messages ...[]byte) {
	s.do(func() {
		s.messages[v] = append(s.messages[v], messages...)
		s.m.statusWaiting(v)
	})
}

// exit has a worker end with an exit status, killedBy with a signal.
func (s *script) exit(pid, status int) { s.end(pid, syscall.WaitStatus(status<<8)) }
func (s *script) killedBy(pid int, sig syscall.Signal) {
	s.end(pid, syscall.WaitStatus(sig))
}
func (s *script) end(pid int, status syscall.WaitStatus) {
	s.do(func() {
		s.ended = append(s.ended, end{pid, status})
		s.m.reap()
	})
}

// do has the event loop execute f.
func (s *script) do(f func()) {
	done := make(chan struct{})
	s.m.post(func() { f(); close(done) })
	<-done
}

// started gives the workers that have been started so far.
func (s *script) started() []spawned {
	var all []spawned
	s.do(func() { all = slices.Clone(s.spawned) })
	return all
}

// last is the worker started last.
func (s *script) last() spawned {
	s.t.Helper()
	all := s.started()
	if len(all) == 0 {
		s.t.Fatal("no worker was started")
	}
	return all[len(all)-1]
}

// wantSpawned checks how many workers have been started.
func (s *script) wantSpawned(n int) {
	s.t.Helper()
	if all := s.started(); len(all) != n {
		s.t.Fatalf("%d workers were started, want %d; log:\n%s", len(all), n, s.logText())
	}
}

func (s *script) logText() string {
	s.logLock.Lock()
	defer s.logLock.Unlock()
	return s.log.String()
}

// wantLog checks how many lines of the log contain a text.
func (s *script) wantLog(n int, text string) {
	s.t.Helper()
	if got := strings.Count(s.logText(), text); got != n {
		s.t.Errorf("%d log lines with %q, want %d; log:\n%s", got, text, n, s.logText())
	}
}

func message(pid int, generation uint32, avail int) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(pid))
	b = binary.NativeEndian.AppendUint32(b, generation)
	return binary.NativeEndian.AppendUint32(b, uint32(avail))
}

func hasStress(argv []string) bool { return slices.Contains(argv, "stress=yes") }
