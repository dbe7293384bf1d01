package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cache"
)

// Texts of the classes of errors.
var (
	notFound = maptypes.ErrNotFound.Error()
	retry    = maptypes.ErrRetry.Error()
	config   = maptypes.ErrConfig.Error()
)

func TestAnswersAreKeptForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s negative_ttl=10s")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		want(t, h, "none", notFound)
		time.Sleep(9 * time.Second)
		want(t, h, "a", "a/1")
		want(t, h, "A", "a/1") // the same key, once it is folded
		want(t, h, "b", "b/3")
		time.Sleep(time.Second)
		want(t, h, "none", notFound)
		if n := w.back.count(); n != 4 {
			t.Errorf("the table was asked %d times, want 4", n)
		}
		time.Sleep(50 * time.Second)
		want(t, h, "a", "a/5")
		if s := w.set.Stats("back:x"); s != (cache.Stats{Hits: 2, Misses: 5}) {
			t.Errorf("counted: %v", s)
		}
	})
}

func TestNegativeAnswersAreNotKeptIfNotWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s negative_ttl=0 stale_on_error=1h")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		w.back.then(fails(maptypes.ErrNotFound))
		time.Sleep(time.Minute)
		for range 3 {
			want(t, h, "a", notFound)
		}
		// What is known to be gone is not brought back.
		w.back.then(fails(maptypes.ErrRetry))
		want(t, h, "a", retry)
		if n := w.back.count(); n != 5 {
			t.Errorf("the table was asked %d times, want 5", n)
		}
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	for _, class := range []error{maptypes.ErrRetry, maptypes.ErrConfig, errors.New("of no class")} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "back:x stale_on_error=1h")
			h := w.open("back:x")
			w.back.then(fails(class))
			for range 3 {
				want(t, h, "a", maptypes.Class(class).Error())
			}
			w.back.then(numbered)
			want(t, h, "a", "a/4")
		})
	}
}

func TestStaleAnswersOnlyWhenTheTableCannotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s negative_ttl=10s stale_on_error=1h")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		want(t, h, "none", notFound)
		time.Sleep(2 * time.Minute)
		w.back.then(fails(maptypes.Retryf("server is down")))
		for range 3 {
			want(t, h, "a", "a/1")
		}
		want(t, h, "none", retry) // it may be there by now
		want(t, h, "b", retry)
		if n := w.log.count("server is down"); n != 1 {
			t.Errorf("logged %d times: %q", n, w.log.text)
		}
		w.back.then(fails(maptypes.ErrConfig))
		want(t, h, "a", config)
		w.back.then(fails(maptypes.ErrRetry))
		want(t, h, "a", "a/1")
		w.back.then(numbered)
		want(t, h, "a", "a/10") // as soon as it can
		w.back.then(fails(maptypes.ErrRetry))
		time.Sleep(61*time.Minute - 1)
		want(t, h, "a", "a/10")
		time.Sleep(time.Nanosecond)
		want(t, h, "a", retry)
		if n := w.log.count("server is down"); n != 1 {
			t.Errorf("log: %q", w.log.text)
		}
		if s := w.set.Stats("back:x"); s.Stale != 5 {
			t.Errorf("counted: %v", s)
		}
	})
}

func TestNoStaleAnswersUnlessWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s")
		h := w.open("back:x")
		want(t, h, "a", "a/1")
		w.back.then(fails(maptypes.ErrRetry))
		time.Sleep(time.Minute)
		want(t, h, "a", retry)
	})
}

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s stale_on_error=1h")
		w.back.slow(time.Second)
		h := w.open("back:x")
		for _, tt := range []struct {
			answer func(int, *maptypes.Request) (string, error)
			want   string
			asked  int
		}{
			{numbered, "a/1", 1},
			{numbered, "a/2", 2},
			{fails(maptypes.ErrRetry), "a/2", 3}, // stale
			{fails(maptypes.ErrConfig), config, 4},
			{fails(maptypes.ErrNotFound), notFound, 5},
			{fails(maptypes.ErrRetry), retry, 6},
		} {
			w.back.then(tt.answer)
			var clients sync.WaitGroup
			for range 50 {
				clients.Go(func() { want(t, h, "a", tt.want) })
			}
			clients.Wait()
			if n := w.back.count(); n != tt.asked {
				t.Errorf("the table was asked %d times, want %d", n, tt.asked)
			}
			time.Sleep(time.Minute)
		}
		// Different keys do not wait for each other.
		w.back.then(numbered)
		start := time.Now()
		var clients sync.WaitGroup
		for i := range 50 {
			clients.Go(func() { get(h, fmt.Sprint(i)) })
		}
		clients.Wait()
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestWhoGivesUpDoesNotSpoilItForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x")
		w.back.slow(10 * time.Second)
		h := w.open("back:x")
		ask := func(patience time.Duration) (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			value, err := h.Lookup(ctx, &maptypes.Request{Flags: h.Flags(), Key: []byte("a")})
			return string(value), err
		}
		var clients sync.WaitGroup
		clients.Go(func() { // asks the table, and gives up
			if _, err := ask(5 * time.Second); maptypes.Class(err) != maptypes.ErrRetry {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		start := time.Now()
		clients.Go(func() { // waits for the first, and gives up
			if _, err := ask(3 * time.Second); maptypes.Class(err) != maptypes.ErrRetry || time.Since(start) != 3*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
		for range 3 { // wait for the first; then one of them asks
			clients.Go(func() {
				if value, err := ask(time.Minute); value != "a/2" || time.Since(start) != 15*time.Second {
					t.Errorf("got %q, %v after %v", value, err, time.Since(start))
				}
			})
		}
		clients.Wait()
	})
}

func TestPanicHurtsOnlyItsOwnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s")
		w.back.slow(time.Second)
		h := w.open("back:x")
		w.back.then(func(n int, r *maptypes.Request) (string, error) {
			if n == 1 || n == 3 {
				panic("driver fault")
			}
			return numbered(n, r)
		})
		var got sync.Map
		var clients sync.WaitGroup
		for i := range 3 {
			clients.Go(func() { got.Store(i, get(h, "a")) })
		}
		clients.Wait()
		answers := map[string]int{}
		got.Range(func(_, v any) bool { answers[v.(string)]++; return true })
		if answers[config] != 1 || answers["a/2"] != 2 {
			t.Errorf("got %v", answers)
		}
		// In the background, too.
		time.Sleep(55 * time.Second)
		want(t, h, "a", "a/2")
		time.Sleep(2 * time.Second)
		want(t, h, "a", "a/2")
		time.Sleep(5 * time.Second)
		want(t, h, "a", "a/4")
		if w.log.count("panic: driver fault") != 2 {
			t.Errorf("log: %q", w.log.text)
		}
	})
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "back:x ttl=60s stale_on_error=1h")
		h := w.open("back:x")
		explain := func() string {
			var trace maptypes.Trace
			h.Lookup(context.Background(), &maptypes.Request{Flags: h.Flags(), Key: []byte("A"), Trace: &trace})
			var b strings.Builder
			for _, s := range trace.Steps() {
				fmt.Fprintf(&b, "%d %s -> %s\n", s.Depth, s.What, s.Result)
			}
			return b.String()
		}
		check := func(parts ...string) {
			t.Helper()
			got := explain()
			for _, part := range parts {
				if !strings.Contains(got, part) {
					t.Errorf("trace without %q:\n%s", part, got)
				}
			}
		}
		check("1 cache: miss", `0 lookup of "A" -> found "a/1"`, `key folded to "a"`)
		time.Sleep(12 * time.Second)
		check("1 cache: hit, age 12s, ttl 60s", `-> found "a/1"`)
		w.back.then(fails(maptypes.Retryf("server is down")))
		time.Sleep(time.Minute)
		check("1 cache: miss", "1 cache: stale, because temporary error: server is down; age 72s, ttl 60s", `-> found "a/1"`)
	})
}
