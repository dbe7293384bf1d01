package protocol

// Subsets of the DICT_FLAG_* bits that the client of Postfix 2.0 to 3.10 tells
// apart, from its dict.h.
const (
	flagsSetByMap = 1<<4 | // FIXED
		1<<5 | // PATTERN
		1<<18 // MULTI_WRITER
	flagsOfRequest = 1<<14 | 1<<15 | // FOLD_FIX, FOLD_MUL
		1<<6 | // LOCK
		1<<7 | 1<<0 | 1<<1 | // DUP_REPLACE, DUP_WARN, DUP_IGNORE
		1<<8 | // SYNC_UPDATE
		1<<11 | 1<<12 | 1<<13 | // NO_REGSUB, NO_PROXY, NO_UNAUTH
		1<<19 // UTF8_REQUEST
	flagsOfInstance = ^uint32(flagsSetByMap | flagsOfRequest)
)

// in37 returns the request as an older client sends it: the flags of the
// instance and of the request in one set.
func in37(q Request) Request {
	q.Dialect = Dialect37
	q.InstanceFlags &= flagsOfInstance
	q.Flags = q.InstanceFlags | q.Flags&flagsOfRequest
	return q
}

// from37 completes an older server's reply to q with the flags that the table
// has for the client from then on.
func from37(q *Request, r *Reply) {
	if q.Kind == Open {
		r.Flags = q.InstanceFlags&^flagsSetByMap | r.Flags&flagsSetByMap
	} else {
		r.Flags = q.Flags
	}
}
