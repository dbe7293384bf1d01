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
		_, err := re.Match(ctx, []byte("a"), nil)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("request that ended: %v", err)
	}
	taken[0].release(false) // as after a panic: there is room for a new one
	if hit, err := re.Match(context.Background(), []byte("a"), nil); err != nil || !hit {
		t.Errorf("after a worker was given up: %v, %v", hit, err)
	}
	for _, w := range taken[1:] {
		w.release(true)
	}
}
