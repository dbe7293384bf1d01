package master

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func contains(s, sub string) bool { return strings.Contains(s, sub) }

// triggers gives the times since begin of the wakeups of a service.
func (s *script) triggers(name string, begin time.Time) []time.Duration {
	var times []time.Duration
	s.do(func() {
		for _, tr := range s.triggered {
			if tr.name == name {
				times = append(times, tr.at.Sub(begin))
			}
		}
	})
	return times
}

func wantTimes(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("wakeups at %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("wakeups at %v, want %v", got, want)
		}
	}
}

func TestWakeups(t *testing.T) {
	inBubble(t, func(s *script) {
		begin := time.Now()
		d := unixService("pickup")
		d.wakeup = 60 * time.Second
		s.start(d)
		time.Sleep(150 * time.Second)
		wantTimes(t, s.triggers(d.name, begin), 0, 60*time.Second, 120*time.Second)
	})
}

func TestConditionalWakeupsWaitForTheFirstWorker(t *testing.T) {
	inBubble(t, func(s *script) {
		begin := time.Now()
		d := unixService("flush")
		d.wakeup, d.wakeupOnUse = 1000*time.Second, true
		v := s.start(d)
		time.Sleep(5000 * time.Second)
		wantTimes(t, s.triggers(d.name, begin))
		s.client(v)
		time.Sleep(1500 * time.Second)
		wantTimes(t, s.triggers(d.name, begin), 5000*time.Second, 6000*time.Second)
	})
}

func TestThrottledServiceIsNotWokenUp(t *testing.T) {
	inBubble(t, func(s *script) {
		begin := time.Now()
		d := unixService("pickup")
		d.wakeup = 40 * time.Second
		v := s.start(d)
		s.client(v)
		s.do(func() { s.waiting[v] = 0 })
		s.exit(s.last().pid, 1)
		time.Sleep(90 * time.Second)
		wantTimes(t, s.triggers(d.name, begin), 0, 80*time.Second)
	})
}

func TestReloadChangesWakeups(t *testing.T) {
	inBubble(t, func(s *script) {
		begin := time.Now()
		d := unixService("pickup")
		d.wakeup = 60 * time.Second
		s.start(d)
		time.Sleep(10 * time.Second)
		changed := *d
		changed.wakeup = 100 * time.Second
		s.do(func() { s.m.replaceAll([]*definition{&changed}) })
		time.Sleep(110 * time.Second)
		wantTimes(t, s.triggers(d.name, begin), 0, 10*time.Second, 110*time.Second)
		changed.wakeup = 0
		s.do(func() { s.m.replaceAll([]*definition{&changed}) })
		time.Sleep(time.Hour)
		wantTimes(t, s.triggers(d.name, begin), 0, 10*time.Second, 110*time.Second)
	})
}

// At the process limit, a public service is in stress mode until 1000 seconds
// have passed without another worker at the limit.
func TestStress(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(publicService(2))
		s.client(v)
		first := s.last()
		if hasStress(first.argv) {
			t.Error("the first worker is stressed already")
		}
		s.taken(v, first)
		if s.channels[v] != 1 {
			t.Error("the status channel was replaced without need")
		}
		s.client(v)
		second := s.last()
		if !hasStress(second.argv) {
			t.Errorf("the worker at the limit is not stressed: %q", second.argv)
		}
		if s.channels[v] != 2 {
			t.Error("the unstressed worker was not told to leave")
		}
		s.taken(v, second)
		s.wantLog(1, `warning: service "smtp" (25) has reached its process limit "2": new clients may experience noticeable delays`)

		time.Sleep(999 * time.Second)
		s.exit(first.pid, 0)
		s.client(v)
		third := s.last()
		s.wantSpawned(3)
		if !hasStress(third.argv) || s.channels[v] != 2 {
			t.Errorf("999 s later: argv %q, %d channels", third.argv, s.channels[v])
		}
		s.taken(v, third)
		s.exit(second.pid, 0)
		s.exit(third.pid, 0)

		time.Sleep(1001 * time.Second)
		s.client(v)
		if hasStress(s.last().argv) {
			t.Error("still stressed after 1001 s")
		}
	})
}

func TestBusyWarningIsLoggedOnceInAWhile(t *testing.T) {
	inBubble(t, func(s *script) {
		v := s.start(publicService(2))
		full := func() {
			s.client(v)
			s.taken(v, s.last())
		}
		full()
		full()
		const text = "has reached its process limit"
		s.wantLog(1, text)
		s.exit(s.last().pid, 0)
		full()
		s.wantLog(1, text)
		time.Sleep(1001 * time.Second)
		s.exit(s.last().pid, 0)
		full()
		s.wantLog(2, text)
	})
}

func TestLocalServiceIsNeverStressed(t *testing.T) {
	inBubble(t, func(s *script) {
		d := unixService("proxymap")
		d.maxProc = 2
		v := s.start(d)
		for range 2 {
			s.client(v)
			s.taken(v, s.last())
		}
		s.wantLog(0, "limit")
		if hasStress(s.last().argv) || s.channels[v] != 1 {
			t.Error("a service without remote clients was stressed")
		}
	})
}

func TestReloadKeepsServicesThatStay(t *testing.T) {
	inBubble(t, func(s *script) {
		stays, goes := s.start(unixService("proxymap")), s.start(unixService("verify"))
		s.client(stays)
		old := s.last()
		s.taken(stays, old)
		s.client(goes)
		gone := s.last()

		changed := unixService("proxymap")
		changed.maxProc, changed.extra = 5, []string{"-v"}
		added := unixService("tlsmgr")
		s.do(func() {
			if err := s.m.replaceAll([]*definition{changed, added}); err != nil {
				t.Error(err)
			}
		})
		if len(s.unlistend) != 1 || s.unlistend[0] != goes {
			t.Error("not exactly the service that left has had its sockets closed")
		}
		if len(s.killed) != 1 || s.killed[0] != gone.pid {
			t.Errorf("SIGTERM went to %v, want %d", s.killed, gone.pid)
		}
		s.killedBy(gone.pid, 15)
		s.wantLog(0, "killed")

		// The old worker still serves its client; the next one has the new settings.
		s.client(stays)
		w := s.last()
		if w.argv[len(w.argv)-1] != "-v" {
			t.Errorf("argv %q is the old one", w.argv)
		}
		s.exit(old.pid, 0)
		var tlsmgr *service
		s.do(func() { tlsmgr = s.m.find(added) })
		s.client(tlsmgr)
		s.wantSpawned(4)
	})
}

// A worker that was idle at the time of a reload can take one more client and
// then has no way to say so. Its service must not rely on it.
func TestIdleWorkerOfBeforeTheReloadIsNotReliedOn(t *testing.T) {
	inBubble(t, func(s *script) {
		d := unixService("proxymap")
		d.maxProc = 3
		v := s.start(d)
		s.client(v)
		old := s.last()
		s.do(func() {
			s.waiting[v] = 0
			s.m.replaceAll([]*definition{d})
		})
		s.client(v)
		s.wantSpawned(2)
		s.status(v, message(old.pid, old.generation, statusAvailable)) // must not count twice
		s.do(func() {
			if v.available != 1 {
				t.Errorf("%d workers available, want 1", v.available)
			}
		})
		s.exit(old.pid, 0)
		synctest.Wait()
		s.do(func() {
			if v.available != 1 || len(v.children) != 1 {
				t.Errorf("%d of %d workers available, want 1 of 1", v.available, len(v.children))
			}
		})
	})
}

// An event can stop a timer that has expired just before.
func TestStoppedAlarmStaysSilent(t *testing.T) {
	inBubble(t, func(s *script) {
		fired := false
		s.do(func() {
			a := s.m.after(time.Second, func() { fired = true })
			time.Sleep(2 * time.Second)
			a.stop()
		})
		synctest.Wait()
		s.do(func() {})
		if fired {
			t.Error("the alarm went off")
		}
	})
}

// Workers must be told of the sockets that there are, even when the name of the
// service now stands for other addresses.
func TestReloadDoesNotMoveSockets(t *testing.T) {
	inBubble(t, func(s *script) {
		d := publicService(5)
		d.addrs = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:25")}
		v := s.start(d)
		changed := *d
		changed.addrs = append(changed.addrs, netip.MustParseAddrPort("192.0.2.2:25"))
		s.do(func() { s.m.replaceAll([]*definition{&changed}) })
		s.client(v)
		if slices.Contains(s.last().argv, "-s") {
			t.Errorf("argv %q, but there is one socket", s.last().argv)
		}
	})
}
