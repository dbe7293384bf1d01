package backend

import (
	"context"
	"errors"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// explainDown records the servers that are not asked because they are down.
func (h *Hosts[C]) explainDown(t *maptypes.Trace) {
	for _, s := range h.servers {
		if !s.usable(h) {
			t.Result("not asked: it is down, "+s.breaker.history(), "%s", h.log.server(s.Name))
		}
	}
}

// history says when, and why, the last attempt to connect failed.
func (b *breaker) history() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := "last tried " + time.Since(b.since).Round(time.Millisecond).String() + " ago"
	if b.logged != "" {
		text += ": " + b.logged
	}
	return text
}

// explained is try with a trace.
func (h *Hosts[C]) explained(ctx context.Context, t *maptypes.Trace, s *server[C], more bool, ask func(context.Context, C) error) error {
	t.Begin("", "asking %s", h.log.server(s.Name))
	err := h.try(ctx, s, more, ask)
	t.End(answer(err))
	return err
}

// answer is what a step says about the outcome of asking one server.
func answer(err error) string {
	var dial *dialError
	switch {
	case err == nil:
		return "answered"
	case errors.As(err, &dial):
		return "no connection: " + dial.Error()
	case IsLost(err):
		return "lost: " + err.Error()
	}
	return maptypes.Outcome(nil, err)
}

// explainConnection records that a lookup has got a connection, or room for one.
// The step's time is that of the wait.
func explainConnection(ctx context.Context, old bool, err error) {
	t := maptypes.TraceOf(ctx)
	switch {
	case t == nil:
	case err != nil:
		t.Result(err.Error(), "waiting for a connection")
	case old:
		t.Step("waiting for a connection: an open one is used again")
	default:
		t.Step("waiting for a connection: none is free, a new one may be made")
	}
}

// explainNew records the attempt to make a connection.
func explainNew(ctx context.Context, err error) {
	t := maptypes.TraceOf(ctx)
	switch {
	case t == nil:
	case err != nil:
		t.Result(err.Error(), "making a new connection")
	default:
		t.Step("making a new connection, with login")
	}
}
