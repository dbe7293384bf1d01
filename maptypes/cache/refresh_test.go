package cache_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestAnswersAreFetchedAnewBeforeTheyAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		w.back.slow(time.Second)
		time.Sleep(54*time.Second - 1)
		want(t, h, "a", "a/1")
		synctest.Wait()
		if n := w.back.count(); n != 1 {
			t.Fatalf("asked %d times before it was due", n)
		}
		time.Sleep(time.Nanosecond)
		for range 5 {
			want(t, h, "a", "a/1") // at once
		}
		time.Sleep(2 * time.Second)
		want(t, h, "a", "a/2")
		time.Sleep(58 * time.Second) // the answer is that of the 54th second
		if s := w.set.Stats("back:x"); s.Refreshed != 1 {
			t.Errorf("counted: %v", s)
		}
		// An answer that nobody asks for is not fetched.
		time.Sleep(time.Hour)
		if n := w.back.count(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestRefreshThatFailsKeepsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		w.back.then(fails(maptypes.ErrRetry))
		time.Sleep(55 * time.Second)
		for range 10 {
			want(t, h, "a", "a/1")
			synctest.Wait()
		}
		if n := w.back.count(); n != 2 { // not again and again
			t.Errorf("asked %d times", n)
		}
		time.Sleep(5 * time.Second)
		want(t, h, "a", retry)
		if s := w.set.Stats("back:x"); s.Refreshed != 0 {
			t.Errorf("counted: %v", s)
		}
	})
}

func TestRefreshesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=100s")
		h := w.open("back:x")
		for i := range 100 {
			get(h, fmt.Sprint(i))
		}
		w.back.slow(time.Second)
		time.Sleep(95 * time.Second)
		for i := range 100 {
			want(t, h, fmt.Sprint(i), fmt.Sprintf("%d/%d", i, i+1))
		}
		time.Sleep(2 * time.Second)
		if most := w.back.atOnce(); most != 16 || w.back.count() != 116 {
			t.Errorf("%d at once, %d in all", most, w.back.count()-100)
		}
		get(h, "50") // there is room again
		synctest.Wait()
		if w.back.count() != 117 {
			t.Errorf("asked %d times", w.back.count())
		}
	})
}

// TestCloseDuringRefresh: the table is not closed under the lookup, nor left open. backend panics otherwise.
func TestCloseDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		w.back.slow(time.Hour)
		time.Sleep(55 * time.Second)
		want(t, h, "a", "a/1")
		synctest.Wait()
		start := time.Now()
		h.Close()
		synctest.Wait()
		if n := w.back.closings(); n != 1 || time.Since(start) != 0 {
			t.Errorf("closed %d times after %v", n, time.Since(start))
		}
	})
}
