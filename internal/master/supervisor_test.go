package master

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// inBubble executes f with a scripted supervisor in virtual time.
func inBubble(t *testing.T, f func(s *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newScript(t)
		ended := make(chan error, 1)
		go func() { ended <- s.m.run(ctx) }()
		f(s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("event loop: %v", err)
		}
	})
}

// unixService is a private service for which one worker at a time is the limit.
func unixService(name string) *definition {
	return &definition{
		endpoint: endpoint{name: "private/" + name, transport: transportUnix},
		extName:  name, command: name, path: "/libexec/" + name,
		maxProc: 1, throttleDelay: 60 * time.Second,
	}
}

// publicService can be stressed.
func publicService(limit int) *definition {
	d := unixService("smtp")
	d.endpoint = endpoint{name: "25", transport: transportInet}
	d.command, d.path, d.maxProc, d.stressable = "smtpd", "/libexec/smtpd", limit, true
	return d
}

// start puts a definition into service.
func (s *script) start(d *definition) *service {
	s.t.Helper()
	v := &service{definition: *d}
	s.do(func() {
		if err := s.m.startService(v); err != nil {
			s.t.Errorf("start service: %v", err)
		}
	})
	return v
}

func TestWorkerIsStartedOnlyForAClientThatNobodyTakes(t *testing.T) {
	inBubble(t, func(s *script) {
		d := unixService("proxymap")
		d.maxProc = 2
		v := s.start(d)
		s.wantSpawned(0)

		s.client(v)
		s.wantSpawned(1)
		first := s.last()
		s.client(v) // the first worker is still available: it takes this one too
		s.wantSpawned(1)
		s.do(func() { s.waiting[v] = 1 })

		s.taken(v, first)
		s.client(v)
		s.wantSpawned(2)
		second := s.last()
		s.taken(v, second)

		s.client(v) // both are occupied, and two is the limit
		s.wantSpawned(2)
		s.available(v, first)
		s.taken(v, first)
		s.client(v)
		s.wantSpawned(2)

		s.exit(second.pid, 0)
		synctest.Wait()
		s.wantSpawned(3)
		if first.generation == second.generation {
			t.Error("two workers have the same generation")
		}
	})
}

func TestNoLimitOnProcesses(t *testing.T) {
	inBubble(t, func(s *script) {
		d := unixService("bounce")
		d.maxProc = 0
		v := s.start(d)
		for n := 1; n <= 50; n++ {
			s.client(v)
			s.wantSpawned(n)
			s.taken(v, s.last())
		}
	})
}

func TestReadableSocketWithoutClientStartsNothing(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.do(func() { s.m.clientWaiting(v) }) // somebody else took the client
		s.wantSpawned(0)
		s.client(v)
		s.wantSpawned(1)
	})
}

func TestBadStartIsThrottled(t *testing.T) {
	for _, test := range []struct {
		name string
		fail func(s *script, pid int)
		log  string
	}{
		{"exit status", func(s *script, pid int) { s.exit(pid, 1) }, "warning: process /libexec/proxymap pid 101 exit status 1"},
		{"signal", func(s *script, pid int) { s.killedBy(pid, syscall.SIGSEGV) }, "warning: process /libexec/proxymap pid 101 killed by signal 11"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(s *script) {
				v := s.start(unixService("proxymap"))
				s.client(v)
				begin := s.last().at
				test.fail(s, s.last().pid)
				s.wantLog(1, test.log)
				s.wantLog(1, "warning: /libexec/proxymap: bad command startup -- throttling")
				time.Sleep(60*time.Second - time.Millisecond)
				s.wantSpawned(1)
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				s.wantSpawned(2)
				if got := s.last().at.Sub(begin); got != 60*time.Second {
					t.Errorf("started again after %v", got)
				}
			})
		})
	}
}

func TestWorkerThatHasServedMayFailWithoutThrottling(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.client(v)
		w := s.last()
		s.taken(v, w)
		s.available(v, w)
		s.exit(w.pid, 1)
		s.wantLog(1, "exit status 1")
		s.wantLog(0, "throttling")
		s.client(v)
		s.wantSpawned(2)
	})
}

// The report of a worker counts even when the master hears of its end at the
// same time.
func TestReportBeforeTheEndIsReadBeforeTheEnd(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.client(v)
		w := s.last()
		s.do(func() {
			s.waiting[v] = 0
			s.messages[v] = [][]byte{message(w.pid, w.generation, statusTaken), message(w.pid, w.generation, statusAvailable)}
		})
		s.exit(w.pid, 1)
		s.wantLog(0, "throttling")
	})
}

func TestNormalExitOfUnusedWorkerIsNoFailure(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.client(v)
		s.exit(s.last().pid, 0)
		s.wantLog(0, "warning")
		synctest.Wait()
		s.wantSpawned(2) // the client is still there
	})
}

func TestCommandThatCannotBeExecutedIsThrottled(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		log  string
	}{
		{"exec", &execError{osError{"master_spawn: exec /libexec/proxymap", unix.ENOENT}},
			"warning: master_spawn: exec /libexec/proxymap: No such file or directory\nwarning: /libexec/proxymap: bad command startup -- throttling\n"},
		{"fork", &osError{"master_spawn: fork", unix.EAGAIN},
			"warning: master_spawn: fork: Resource temporarily unavailable -- throttling\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(s *script) {
				v := s.start(unixService("proxymap"))
				s.spawnErr = test.err
				s.client(v)
				if s.logText() != test.log {
					t.Errorf("log:\n%swant:\n%s", s.logText(), test.log)
				}
				s.do(func() { s.spawnErr = nil })
				time.Sleep(59 * time.Second)
				s.wantSpawned(0)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				s.wantSpawned(1)
			})
		})
	}
}

func TestStatusMessagesThatDoNotFitAreIgnored(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(w spawned) []byte
		log  string
	}{
		{"torn", func(w spawned) []byte { return message(w.pid, w.generation, statusTaken)[:7] },
			"warning: service proxymap(private/proxymap): child (pid 101) sent partial status update (7 bytes)"},
		{"empty", func(w spawned) []byte { return nil },
			"warning: service proxymap(private/proxymap): child (pid 0) sent partial status update (0 bytes)"},
		{"too long", func(w spawned) []byte { return append(message(w.pid, w.generation, statusTaken), 0) },
			"warning: service proxymap(private/proxymap): child (pid 101) sent partial status update (13 bytes)"},
		{"former process", func(w spawned) []byte { return message(w.pid, w.generation-1, statusTaken) },
			"info: ignoring status update from child pid 101 generation 0"},
		{"unknown process", func(w spawned) []byte { return message(7, w.generation, statusTaken) }, ""},
		{"unknown status", func(w spawned) []byte { return message(w.pid, w.generation, 5) },
			"warning: ignoring unknown status: 5 allegedly from pid: 101"},
		{"negative status", func(w spawned) []byte { return message(w.pid, w.generation, -1) },
			"warning: ignoring unknown status: -1 allegedly from pid: 101"},
		{"repeated", func(w spawned) []byte { return message(w.pid, w.generation, statusAvailable) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(s *script) {
				v := s.start(unixService("proxymap"))
				s.client(v)
				w := s.last()
				s.do(func() { s.waiting[v] = 0 })
				s.status(v, test.make(w))
				if test.log != "" {
					s.wantLog(1, test.log)
				} else if s.logText() != "" {
					t.Errorf("log: %s", s.logText())
				}
				s.do(func() {
					if v.available != 1 || s.m.children[w.pid].uses != 0 {
						t.Errorf("available %d, uses %d, want 1 and 0", v.available, s.m.children[w.pid].uses)
					}
				})
				// The channel is as good as before.
				s.status(v, message(w.pid, w.generation, statusTaken))
				s.do(func() {
					if v.available != 0 {
						t.Error("a good message after the bad one was lost")
					}
				})
			})
		})
	}
}

func TestWorkerCannotReportForAnotherService(t *testing.T) {
	inBubble(t, func(s *script) {
		victim, liar := s.start(unixService("verify")), s.start(unixService("proxymap"))
		s.client(victim)
		w := s.last()
		s.status(liar, message(w.pid, w.generation, statusTaken))
		s.wantLog(1, "warning: service proxymap(private/proxymap): ignoring status update about pid 101 of service verify(private/verify)")
		s.do(func() {
			if victim.available != 1 {
				t.Error("a forged message was believed")
			}
		})
	})
}

func TestShutDownStatusChannelIsReplaced(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.client(v)
		s.taken(v, s.last())
		s.do(func() {
			s.closed[v] = true
			s.m.statusWaiting(v)
		})
		s.do(func() {
			if s.channels[v] != 2 {
				t.Errorf("%d status channels were opened, want 2", s.channels[v])
			}
		})
		s.exit(s.last().pid, 0)
		s.client(v)
		s.wantSpawned(2)
	})
}

// Out of descriptors at a reload: the service goes on as it was.
func TestServiceSurvivesAReloadWithoutNewStatusChannel(t *testing.T) {
	inBubble(t, func(s *script) {
		d := unixService("proxymap")
		v := s.start(d)
		s.client(v)
		w := s.last()
		s.taken(v, w)
		s.do(func() {
			s.statusErr = unix.EMFILE
			s.m.replaceAll([]*definition{d})
		})
		s.wantLog(1, "error: service proxymap(private/proxymap): too many open files")
		s.available(v, w)
		s.client(v)
		s.wantSpawned(1) // the worker still counts
		s.taken(v, w)
		s.exit(w.pid, 0)
		s.client(v)
		s.wantSpawned(2)
	})
}

func TestEndOfUnknownProcessIsHarmless(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.exit(4711, 1)
		s.client(v)
		s.wantSpawned(1)
		s.wantLog(0, "warning")
	})
}

func TestStoppedWorkerIsStillThere(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(unixService("proxymap"))
		s.client(v)
		w := s.last()
		s.end(w.pid, syscall.WaitStatus(0x7f|int(syscall.SIGSTOP)<<8))
		s.wantLog(1, "warning: process /libexec/proxymap pid 101 stopped by signal 19")
		s.do(func() {
			if s.m.children[w.pid] == nil {
				t.Error("the record of a stopped worker is gone")
			}
		})
	})
}

func TestPanicInAnEventEndsTheLoopWithItsStack(t *testing.T) {
	s := newScript(t)
	ended := make(chan error, 1)
	go func() { ended <- s.m.run(context.Background()) }()
	s.m.post(func() { panic(errors.New("boom")) })
	err := <-ended
	if err == nil || !contains(err.Error(), "boom") || !contains(err.Error(), "TestPanicInAnEvent") {
		t.Errorf("error %v, want the panic and its stack", err)
	}
}
