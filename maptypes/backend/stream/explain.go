package stream

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Explain records an exchange in the trace of a lookup, if there is one: the
// request as it was sent, and what went wrong.
func Explain(ctx context.Context, request []byte, err error) {
	t := maptypes.TraceOf(ctx)
	switch {
	case t == nil:
	case err != nil:
		t.Result(maptypes.Printable([]byte(err.Error())), "request: %s", maptypes.Quote(request))
	default:
		t.Result("answered", "request: %s", maptypes.Quote(request))
	}
}
