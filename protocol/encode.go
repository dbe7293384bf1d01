package protocol

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// ErrNUL says that a name, key or value contains NUL, which the protocol
// cannot carry.
var ErrNUL = errors.New("NUL byte in attribute value")

// AppendString appends the attribute name with a text value. It does not check
// for NUL bytes.
func AppendString(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, 0)
	b = append(b, value...)
	return append(b, 0)
}

// AppendBytes is AppendString for a value in a byte slice.
func AppendBytes(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	b = append(b, 0)
	b = append(b, value...)
	return append(b, 0)
}

// AppendUint appends the attribute name with an integer value.
func AppendUint(b []byte, name string, value uint32) []byte {
	b = append(b, name...)
	b = append(b, 0)
	b = strconv.AppendUint(b, uint64(value), 10)
	return append(b, 0)
}

// AppendEnd ends an attribute list.
func AppendEnd(b []byte) []byte {
	return append(b, 0)
}

// AppendAnnouncement appends what a server of Postfix 3.6 and later sends when
// a client connects.
func AppendAnnouncement(b []byte) []byte {
	return AppendEnd(AppendString(b, attrProtocol, ProtocolName))
}

// AppendRequest appends q in the form of q.Dialect; DialectUnknown means
// Dialect311. In the older form, which has one set of flags, q.Flags is sent
// (q.InstanceFlags in an open request). It fails with ErrNUL and returns b
// unchanged when a value cannot be sent.
func AppendRequest(b []byte, q *Request) ([]byte, error) {
	if strings.IndexByte(q.Table, 0) >= 0 || hasNUL(q.Key) || hasNUL(q.Value) {
		return b, ErrNUL
	}
	b = AppendString(b, attrRequest, q.Kind.String())
	b = AppendString(b, attrTable, q.Table)
	b = appendRequestFlags(b, q)
	switch q.Kind {
	case Lookup, Delete, Explain:
		b = AppendBytes(b, attrKey, q.Key)
	case Update:
		b = AppendBytes(b, attrKey, q.Key)
		b = AppendBytes(b, attrValue, q.Value)
	case Sequence:
		b = AppendUint(b, attrFunction, uint32(q.Function))
	}
	return AppendEnd(b), nil
}

func appendRequestFlags(b []byte, q *Request) []byte {
	if q.Dialect == Dialect37 {
		if q.Kind == Open {
			return AppendUint(b, attrFlags, q.InstanceFlags)
		}
		return AppendUint(b, attrFlags, q.Flags)
	}
	b = AppendUint(b, attrInstanceFlags, q.InstanceFlags)
	if q.Kind == Open {
		return b
	}
	return AppendUint(b, attrFlags, q.Flags)
}

// AppendReply appends r in the form that the sender of q expects. It fails
// with ErrNUL and returns b unchanged when the key or value cannot be sent.
func AppendReply(b []byte, q *Request, r *Reply) ([]byte, error) {
	if hasNUL(r.Key) || hasNUL(r.Value) || hasNUL(r.Trace) {
		return b, ErrNUL
	}
	b = AppendUint(b, attrStatus, uint32(r.Status))
	if replyHasFlags(q.Kind, q.Dialect) {
		b = AppendUint(b, attrFlags, r.Flags)
	}
	switch q.Kind {
	case Lookup:
		b = AppendBytes(b, attrValue, r.Value)
	case Explain:
		b = AppendBytes(b, attrValue, r.Value)
		b = AppendBytes(b, attrTrace, r.Trace)
	case Sequence:
		b = AppendBytes(b, attrKey, r.Key)
		b = AppendBytes(b, attrValue, r.Value)
	}
	return AppendEnd(b), nil
}

// replyHasFlags: open has always told the table's flags; the other replies do
// so since Postfix 3.11.
func replyHasFlags(k Kind, d Dialect) bool {
	return k == Open || k != KindUnknown && d == Dialect311
}

func hasNUL(p []byte) bool {
	return bytes.IndexByte(p, 0) >= 0
}
