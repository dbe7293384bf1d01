package service

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ended fails the test unless the worker has ended well by now.
func ended(t *testing.T, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		if err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	default:
		t.Fatal("the worker has not ended")
	}
}

func running(t *testing.T, result <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		t.Fatalf("the worker has ended (%v)", err)
	default:
	}
}

func TestIdleWorkerLeavesAfterMaxIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxIdle: 100 * time.Second}, Options{}, echo)
		result := b.start()

		time.Sleep(99 * time.Second)
		c := b.listener.dial()
		ask(t, c, "hello")
		time.Sleep(1000 * time.Second) // a client that says nothing keeps the worker alive, as in Postfix
		running(t, result)
		c.Close()

		time.Sleep(100*time.Second - time.Nanosecond)
		running(t, result)
		time.Sleep(time.Nanosecond)
		ended(t, result)
		b.wantStatuses(statusTaken, statusAvailable)
	})
}

func TestMaxIdleZeroMeansForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{}, Options{}, echo)
		result := b.start()
		time.Sleep(365 * 24 * time.Hour)
		running(t, result)
		b.leave("end of test")
		ended(t, result)
	})
}

func TestMaxUseCountsClientsThatHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxUse: 3}, Options{}, echo)
		result := b.start()
		stays := b.listener.dial()
		ask(t, stays, "here")
		synctest.Wait()
		for range 2 {
			b.listener.dial().Close() // also a client that says nothing counts
			running(t, result)
		}
		c := b.listener.dial()
		ask(t, c, "third")
		synctest.Wait()
		b.wantStatuses(statusTaken, statusAvailable)
		c.Close()
		running(t, result)
		b.wantStatuses(statusTaken, statusAvailable, statusTaken)

		late := b.listener.dial()
		synctest.Wait()
		if !b.listener.Pending() {
			t.Error("a client was accepted after max_use")
		}
		ask(t, stays, "still here")
		stays.Close()
		ended(t, result)
		if !b.listener.Pending() {
			t.Error("the client in the queue was taken by a worker that has ended")
		}
		late.Close()
	})
}

// A client that comes when the idle time runs out is served, and so are those after it.
func TestMaxIdleAndClientAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxIdle: 100 * time.Second}, Options{}, echo)
		result := b.start()
		late := b.listener.dialLate()
		time.Sleep(100 * time.Second)
		ask(t, late, "late")
		next := b.listener.dial()
		ask(t, next, "next")
		late.Close()
		next.Close()
		time.Sleep(99 * time.Second)
		running(t, result)
		time.Sleep(time.Second)
		ended(t, result)
	})
}

// A client that comes when the last one of max_use leaves is served; the master has to find somebody for the next one.
func TestMaxUseAndClientAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxUse: 1}, Options{}, echo)
		result := b.start()
		c := b.listener.dial()
		ask(t, c, "hello")
		synctest.Wait()
		late := b.listener.dialLate()
		c.Close()
		ask(t, late, "late")
		running(t, result)
		b.wantStatuses(statusTaken, statusAvailable, statusTaken)
		late.Close()
		ended(t, result)
	})
}

// With a process limit of 1 no other worker can take the clients, so the worker goes on until it has none.
func TestMaxUseAloneKeepsAccepting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxUse: 1}, Options{Alone: true}, echo)
		result := b.start()
		stays := b.listener.dial()
		ask(t, stays, "here")
		for range 5 {
			c := b.listener.dial()
			ask(t, c, "hello")
			c.Close()
			synctest.Wait()
		}
		stays.Close()
		ended(t, result)
		b.wantStatuses(statusTaken, statusAvailable)
	})
}

// At the process limit of the service the master starts no other worker.
func TestMaxUseTakesClientsThatNobodyElseTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxUse: 1}, Options{}, echo)
		result := b.start()
		stays := b.listener.dial()
		ask(t, stays, "here")
		synctest.Wait() // the worker has said that it is available
		b.listener.dial().Close()
		synctest.Wait()

		waits := b.listener.dial()
		begin := time.Now()
		if got := ask(t, waits, "hello"); got != "hello" {
			t.Errorf("answer %q", got)
		}
		if waited := time.Since(begin); waited > 2*lookInterval {
			t.Errorf("the client waited %v", waited)
		}
		b.wantStatuses(statusTaken, statusAvailable, statusTaken, statusAvailable)
		waits.Close()
		running(t, result)
		stays.Close()
		ended(t, result)
	})
}

func TestFullWorkerLeavesClientsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{maxClients: 2}, Options{}, echo)
		result := b.start()
		first, second := b.listener.dial(), b.listener.dial()
		ask(t, second, "hello")
		third := b.listener.dial()
		synctest.Wait()
		if !b.listener.Pending() {
			t.Error("a third client was accepted")
		}
		b.wantStatuses(statusTaken)
		first.Close()
		ask(t, third, "hello")
		b.wantStatuses(statusTaken, statusAvailable, statusTaken)
		second.Close()
		third.Close()
		synctest.Wait()
		b.leave("end of test")
		ended(t, result)
	})
}

func TestLeaveFinishesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{}, Options{}, func(ctx context.Context, c net.Conn) {
			if _, err := c.Read(make([]byte, 10)); err != nil {
				return
			}
			time.Sleep(10 * time.Second)
			c.Write([]byte("done\n"))
			echo(ctx, c)
		})
		result := b.start()
		busy := b.listener.dial()
		busy.Write([]byte("x"))
		synctest.Wait()
		b.leave("end of test")
		running(t, result)
		line := make([]byte, 5)
		if _, err := busy.Read(line); err != nil || string(line) != "done\n" {
			t.Errorf("answer %q, %v", line, err)
		}
		ended(t, result)
	})
}

func TestLeaveIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, settings{}, Options{}, func(context.Context, net.Conn) { <-release })
		result := b.start()
		c := b.listener.dial()
		synctest.Wait()
		b.leave("end of test")
		time.Sleep(leaveLimit - 1)
		running(t, result)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := <-result; err == nil {
			t.Error("a worker that left a request unfinished reported success")
		}
		close(release)
		c.Close()
	})
}

func TestWatchdogEndsStuckWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, settings{watchdog: 300 * time.Second}, Options{}, func(_ context.Context, c net.Conn) {
			c.Read(make([]byte, 10))
			<-release
		})
		result := b.start()
		time.Sleep(10 * time.Hour) // without a request
		running(t, result)
		c := b.listener.dial()
		time.Sleep(10 * time.Hour) // a client that says nothing
		running(t, result)
		c.Write([]byte("x"))
		time.Sleep(300 * time.Second)
		running(t, result)
		time.Sleep(101 * time.Second)
		synctest.Wait()
		select {
		case err := <-result:
			if err == nil || err.Error() != "watchdog timeout" {
				t.Errorf("result %v", err)
			}
		default:
			t.Error("the worker is still there")
		}
		close(release)
		c.Close()
	})
}

func TestWatchdogLeavesProgressAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, settings{watchdog: 300 * time.Second}, Options{}, func(ctx context.Context, c net.Conn) {
			if n, _ := c.Read(make([]byte, 1)); n == 1 {
				<-release // one request hangs, the others are answered
				return
			}
		})
		b.worker.serve = func(serve func(context.Context, net.Conn)) func(context.Context, net.Conn) {
			first := true
			return func(ctx context.Context, c net.Conn) {
				if first {
					first = false
					serve(ctx, c)
					return
				}
				echo(ctx, c)
			}
		}(b.worker.serve)
		result := b.start()
		hangs := b.listener.dial()
		hangs.Write([]byte("x"))
		c := b.listener.dial()
		for range 100 {
			time.Sleep(90 * time.Second)
			ask(t, c, "hello")
		}
		running(t, result)
		close(release)
		c.Close()
		hangs.Close()
		synctest.Wait()
		b.leave("end of test")
		ended(t, result)
	})
}

func TestIPCTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := make(chan error, 2)
		b := newBench(t, settings{ipcTimeout: time.Hour}, Options{}, func(_ context.Context, c net.Conn) {
			_, err := c.Read(make([]byte, 1))
			failures <- err
			_, err = c.Write(make([]byte, 1))
			failures <- err
		})
		result := b.start()
		c := b.listener.dial()
		begin := time.Now()
		for i := range 2 {
			if err := <-failures; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if took, want := time.Since(begin), time.Duration(i+1)*time.Hour; took < want || took > want+want/16 {
				t.Errorf("deadline after %v, want %v and a sixteenth more at most", took, want)
			}
		}
		c.Close()
		synctest.Wait()
		b.leave("end of test")
		ended(t, result)
	})
}

func TestPanicCostsOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{}, Options{}, func(ctx context.Context, c net.Conn) {
			var line [2]byte
			c.Read(line[:])
			if line[0] == 'p' {
				panic("a broken\ntable")
			}
			c.Write(line[:])
		})
		result := b.start()
		other := b.listener.dial()
		c := b.listener.dial()
		c.Write([]byte("p"))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the client got an answer")
		}
		if got := ask(t, other, "x"); got != "x" {
			t.Errorf("answer %q", got)
		}
		synctest.Wait()
		var text strings.Builder
		for _, e := range b.log.AllEntries() {
			if strings.Contains(e.Message, "\tgoroutine") || strings.HasSuffix(e.Message, "\n") {
				t.Errorf("more than one line in %q", e.Message)
			}
			text.WriteString(e.Message + "\n")
		}
		for _, want := range []string{"panic while serving a client: a broken", "leave_test.go:"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, text.String())
			}
		}
		b.leave("end of test")
		ended(t, result)
	})
}

func TestMasterGoneWhenStatusCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, settings{}, Options{}, echo)
		b.worker.notify = func(uint32) error { return os.ErrClosed }
		result := b.start()
		c := b.listener.dial()
		ask(t, c, "hello")
		ended(t, result)
	})
}
