//go:build !pcre2 || !cgo

package pcre2

import (
	"context"
	"errors"
	"testing"
)

func TestWorkersAreBounded(t *testing.T) {
	re := compile(t, "a", 0)
	ctx, cancel := context.WithCancel(context.Background())
	var taken []*worker
	for range maxWorkers {
		w, err := take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, w)
	}
	done := make(chan error)
	go func() {
		_, err := re.Match(ctx, nil, []byte("a"), nil)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("request that ended: %v", err)
	}
	taken[0].release(false) // as after a panic: there is room for a new one
	if hit, err := re.Match(context.Background(), nil, []byte("a"), nil); err != nil || !hit {
		t.Errorf("after a worker was given up: %v, %v", hit, err)
	}
	for _, w := range taken[1:] {
		w.release(true)
	}
}

// TestMemoryGivesItsWorkerBack: when a lookup ends or makes many matches, and
// when a match has reached its limit, others can have the worker.
func TestMemoryGivesItsWorkerBack(t *testing.T) {
	ctx := context.Background()
	re := compile(t, "a", 0)
	endless := compile(t, "(*LIMIT_MATCH=10)^(a+)+\\d", 0)
	var m Memory
	match := func(re *Regexp, key string) error {
		_, err := re.Match(ctx, &m, []byte(key), nil)
		return err
	}
	before := len(idle)
	for range maxMatches {
		if err := match(re, "b"); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(idle); got >= before {
		t.Errorf("%d workers are idle during a lookup, %d before", got, before)
	}
	if m.matches != maxMatches {
		t.Errorf("%d matches with one worker", m.matches)
	}
	if err := match(re, "b"); err != nil || m.matches != 1 {
		t.Errorf("%d matches since others had a turn, %v", m.matches, err)
	}
	if err := match(endless, "aaaaaaaaaaaaaaa!"); err == nil {
		t.Error("no limit was reached")
	}
	if got := len(idle); got != before {
		t.Errorf("%d workers are idle after an error, %d before the lookup", got, before)
	}
	m.Release()
}
