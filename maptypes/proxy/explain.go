package proxy

import (
	"context"
	"errors"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// explain is Lookup with a trace: the worker tells its steps. One that does not,
// Postfix's for example, answers the lookup alone.
func (t *table) explain(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	r.Trace.Begin("", "asking the worker at %s for %q", t.socket, t.name)
	reply, err := t.client.Explain(ctx, t.name, t.flags, uint32(r.Flags), r.Key)
	if errors.Is(err, protocol.ErrBad) {
		r.Trace.End("it is not ours, or has proxymapd_explain = no: it only answers")
		return t.lookup(ctx, r)
	}
	if len(reply.Trace) > 0 {
		if err := r.Trace.Graft(reply.Trace); err != nil {
			r.Trace.Step("the worker's steps: %v", err)
		}
	}
	err = t.finish(r, reply, err)
	r.Trace.End(maptypes.Outcome(reply.Value, err))
	return reply.Value, err
}
