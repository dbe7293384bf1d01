package protocol

import "strconv"

// Status is the result of a request, as numbered in Postfix's dict_proxy.h.
type Status int

// The statuses.
const (
	StatusOK     Status = iota // the operation succeeded
	StatusNoKey                // the requested key was not found
	StatusRetry                // try again later
	StatusBad                  // invalid request
	StatusDeny                 // the table is not approved for proxying
	StatusConfig               // configuration error
)

var statusNames = [...]string{"OK", "NOKEY", "RETRY", "BAD", "DENY", "CONFIG"}

// String returns the name of the status without its prefix, e.g. "NOKEY".
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "Status(" + strconv.Itoa(int(s)) + ")"
	}
	return statusNames[s]
}
