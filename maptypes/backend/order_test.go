package backend

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestInOrder checks that a later server is asked only while the first is down.
func TestInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, shared *Shared[*fakeConn]) {
		first, second := &fake{name: "first"}, &fake{name: "unix:second"}
		table := newTable(shared, testLimits, first, second)
		table.InOrder = true
		defer table.Close()
		want := func(who string) {
			t.Helper()
			for range 20 {
				if got := table.lookup(); got != who {
					t.Fatalf("%s was asked, want %s", got, who)
				}
			}
		}
		want("first")
		first.set(func(f *fake) { f.refuse, f.generation = errRefused, 1 })
		want("unix:second")
		first.set(func(f *fake) { f.refuse = nil })
		want("unix:second") // until the retry interval is over
		time.Sleep(testLimits.RetryInterval)
		table.lookup()
		synctest.Wait()
		want("first")
		shared.servers["first"].pool.dropIdle() // it is first without connections, too
		synctest.Wait()
		want("first")
	})
}
