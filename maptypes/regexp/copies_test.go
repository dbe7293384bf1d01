//go:build cgo

package regexp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestWaitingForACopy: while other goroutines are inside regexec with every
// copy of an expression, the next one waits, and goes on when one is free or
// its request ends.
func TestWaitingForACopy(t *testing.T) {
	p, err := compile("a(.)", optExtended, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	synctest.Test(t, func(t *testing.T) {
		pattern := p.(*pattern)
		pattern.freed = make(chan struct{}, 1) // belongs to this bubble
		ctx, cancel := context.WithCancel(context.Background())
		var taken []*libcRegex
		for range maxCopies {
			re, err := pattern.take(ctx)
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, re)
		}
		var mu sync.Mutex
		done := make(chan error, 2)
		go func() {
			_, err := p.Match(ctx, nil, []byte("xab"), nil)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("request that ended: %v", err)
		}
		// Two that wait both get one of the two copies that come back, although
		// neither gives its copy back to the other.
		for range 2 {
			go func() {
				re, err := pattern.take(context.Background())
				mu.Lock()
				taken = append(taken, re)
				mu.Unlock()
				done <- err
			}()
		}
		synctest.Wait()
		if len(done) > 0 {
			t.Fatalf("one got a copy where there is none: %v", <-done)
		}
		free := taken[:2]
		taken = slices.Clone(taken[2:])
		pattern.put(free[0])
		pattern.put(free[1])
		synctest.Wait()
		if len(done) != 2 {
			t.Errorf("%d of 2 got a copy", len(done))
		}
		for _, re := range taken {
			pattern.put(re)
		}
	})
}
