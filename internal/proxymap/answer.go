package proxymap

import (
	"context"
	"strings"

	"github.com/proxymapd/proxymapd/internal/maillog"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// answer fills in the reply to a well-formed request.
func (s *Server) answer(ctx context.Context, c *client) {
	q := &c.request
	c.reply = protocol.Reply{}
	if !s.writer && (q.Kind == protocol.Update || q.Kind == protocol.Delete) {
		s.log.Warnf("refusing %s %s request on non-%s service", maillog.Printable(q.Table), q.Kind, WriteService)
		c.reply.Status = protocol.StatusDeny
		return
	}
	if q.Kind == protocol.Explain && !s.explains {
		c.reply.Status = protocol.StatusBad
		return
	}
	handle, status := s.find(q)
	if handle == nil {
		c.reply.Status = status
		return
	}
	if q.Kind == protocol.Open {
		c.reply.Flags = openFlags(handle, q)
		return
	}
	c.table.Flags = requestFlags(handle, q)
	c.table.Key, c.table.Value = q.Key, q.Value
	err := s.ask(ctx, c, handle)
	c.reply.Status = statusOf(err)
	c.reply.Flags = uint32(c.table.Flags)
	if reason := maptypes.Reason(err); reason != "" {
		s.log.Warn(maillog.Printable(reason))
	}
}

// find returns the approved table that a request names, or the status that
// refuses it.
func (s *Server) find(q *protocol.Request) (*maptypes.Handle, protocol.Status) {
	name := stripProxy(q.Table)
	if !strings.Contains(name, ":") {
		return nil, protocol.StatusBad
	}
	if !s.approved.has(name) {
		s.refused.log(name)
		return nil, protocol.StatusDeny
	}
	handle, err := s.tables.get(name, maptypes.Flags(q.InstanceFlags))
	if err != nil {
		s.log.Warn(maillog.Printable(err.Error()))
		// A client repeats an open that is answered with anything but OK,
		// BAD or DENY for ever.
		if q.Kind == protocol.Open {
			return nil, protocol.StatusBad
		}
		return nil, statusOf(err)
	}
	return handle, protocol.StatusOK
}

// ask passes a request to its table.
func (s *Server) ask(ctx context.Context, c *client, handle *maptypes.Handle) (err error) {
	switch c.request.Kind {
	case protocol.Lookup:
		c.reply.Value, err = handle.Lookup(ctx, &c.table)
	case protocol.Explain:
		err = c.explain(ctx, handle)
	case protocol.Update:
		c.table.Flags |= maptypes.FlagSyncUpdate | maptypes.FlagDupReplace
		err = handle.Update(ctx, &c.table)
	case protocol.Delete:
		c.table.Flags |= maptypes.FlagSyncUpdate
		err = handle.Delete(ctx, &c.table)
	case protocol.Sequence:
		err = c.sequence(ctx, handle)
	}
	return err
}

// sequence answers with the first or next entry of a table. Every client has
// its own position; one that reconnected in the middle of a sequence, as
// Postfix's clients do, goes on where the last sequence request of the table
// stopped. After the last entry the sequence begins anew.
func (c *client) sequence(ctx context.Context, handle *maptypes.Handle) (err error) {
	cursor := c.cursors[handle]
	switch {
	case c.request.Function == protocol.SequenceFirst:
		cursor = &maptypes.Cursor{}
	case cursor == nil:
		last := handle.LastCursor()
		cursor = &last
	}
	c.reply.Key, c.reply.Value, err = handle.Sequence(ctx, &c.table, cursor)
	if maptypes.Class(err) == maptypes.ErrNotFound {
		*cursor = maptypes.Cursor{}
	}
	if c.cursors == nil {
		c.cursors = map[*maptypes.Handle]*maptypes.Cursor{}
	}
	c.cursors[handle] = cursor
	handle.SaveCursor(cursor)
	return err
}

// requestorFlags are those of an older request that concern this request
// (Postfix 3.7: DICT_FLAG_RQST_MASK); its others are those of the open, which
// did not know yet what the table would add.
const requestorFlags = maptypes.FlagFoldAny | maptypes.FlagLock |
	maptypes.FlagDupReplace | maptypes.FlagDupWarn | maptypes.FlagDupIgnore |
	maptypes.FlagSyncUpdate | maptypes.FlagNoRegsub | maptypes.FlagNoProxy |
	maptypes.FlagNoUnauth | maptypes.FlagUTF8Request

// requestFlags returns the flags that a request gives to its table.
func requestFlags(handle *maptypes.Handle, q *protocol.Request) maptypes.Flags {
	flags := maptypes.Flags(q.Flags)
	if q.Dialect == protocol.Dialect311 {
		return flags
	}
	return handle.Flags()&^requestorFlags | flags&requestorFlags
}

// surrogateBit is what Postfix 3.11 sets in the flags of a table that could not
// be opened: its definition of DICT_FLAG_SURROGATE lacks a shift and yields 1.
// Clients send it back in their requests; it means DUP_WARN there.
const surrogateBit = uint32(maptypes.FlagDupWarn)

// openFlags returns the flags of a new instance as Postfix computes them: those
// of the request and what the table adds.
func openFlags(handle *maptypes.Handle, q *protocol.Request) uint32 {
	flags := handle.Flags()
	reply := uint32(flags&^maptypes.FlagSurrogate) | q.InstanceFlags&^uint32(instanceFlags)
	if flags&maptypes.FlagSurrogate != 0 && q.Dialect == protocol.Dialect311 {
		reply |= surrogateBit
	}
	return reply
}

// statusOf is the one place where the outcome of a table request becomes a
// status of the protocol.
func statusOf(err error) protocol.Status {
	switch maptypes.Class(err) {
	case nil:
		return protocol.StatusOK
	case maptypes.ErrNotFound:
		return protocol.StatusNoKey
	case maptypes.ErrConfig:
		return protocol.StatusConfig
	default:
		return protocol.StatusRetry
	}
}
