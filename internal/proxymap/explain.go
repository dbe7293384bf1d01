package proxymap

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// explain looks up a key, and puts what was done for it into the reply.
func (c *client) explain(ctx context.Context, handle *maptypes.Handle) (err error) {
	var trace maptypes.Trace
	c.table.Trace = &trace
	defer func() { c.table.Trace = nil }()
	c.reply.Value, err = handle.Lookup(ctx, &c.table)
	c.reply.Trace = trace.AppendJSON(nil)
	return err
}
