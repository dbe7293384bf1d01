package protocol

import "strconv"

// Attribute names, as in Postfix's mail_proto.h.
const (
	attrProtocol      = "protocol"
	attrRequest       = "request"
	attrTable         = "table"
	attrInstanceFlags = "instance_flags"
	attrFlags         = "flags"
	attrKey           = "key"
	attrValue         = "value"
	attrFunction      = "function"
	attrStatus        = "status"
	attrTrace         = "trace"
)

// ProtocolName is the value of the protocol attribute in the announcement.
const ProtocolName = "proxymap_protocol"

// Kind is what a request asks for.
type Kind int

// The kinds of request. KindUnknown stands for a request name that the
// protocol does not have; its only answer is a bare BAD status.
const (
	KindUnknown Kind = iota
	Open
	Lookup
	Update
	Delete
	Sequence
	Explain // our own: a lookup whose reply also says what was done for it
)

var kindNames = [...]string{"unknown", "open", "lookup", "update", "delete", "sequence", "explain"}

// String returns the request's name on the wire.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// kindOf compares byte for byte, as Postfix does: request names have one case.
func kindOf(name []byte) Kind {
	for k := Open; k <= Explain; k++ {
		if string(name) == kindNames[k] {
			return k
		}
	}
	return KindUnknown
}

// Dialect is a form of request and reply.
type Dialect int

// The dialects. The zero value means that the dialect is not known.
const (
	DialectUnknown Dialect = iota
	Dialect37              // Postfix 2.0 to 3.10: table, flags
	Dialect311             // Postfix 3.11 and later: table, instance_flags, flags
)

// String returns the Postfix versions that speak the dialect.
func (d Dialect) String() string {
	switch d {
	case DialectUnknown:
		return "unknown"
	case Dialect37:
		return "2.0-3.10"
	case Dialect311:
		return "3.11"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// The functions of a sequence request.
const (
	SequenceFirst = 0
	SequenceNext  = 1
)

// Request is one proxymap request.
//
// A Request that [ServerConn.ReadRequest] filled in borrows Key and Value from
// the connection's buffer: they are good until the next call.
type Request struct {
	Kind    Kind
	Dialect Dialect

	// Table is type:name as the client wrote it, with any proxy: prefixes.
	Table string

	// InstanceFlags select the table instance (the flags of the client's
	// open), Flags are those of this request: DICT_FLAG_* bits of dict.h. An
	// older request and an open request carry one set of flags: it is in both
	// fields.
	InstanceFlags uint32
	Flags         uint32

	Key      []byte // lookup, update, delete, explain
	Value    []byte // update
	Function int    // sequence: SequenceFirst or SequenceNext
}

// Reply is the answer to a request. Which fields are sent depends on the kind
// and the dialect of the request.
type Reply struct {
	Status Status
	Flags  uint32 // open; every kind in Dialect311
	Key    []byte // sequence
	Value  []byte // lookup, sequence, explain
	Trace  []byte // explain: the steps as a JSON array (maptypes.Trace)
}
