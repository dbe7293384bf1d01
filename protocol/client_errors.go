package protocol

import (
	"errors"
	"fmt"
)

// What went wrong with a client's request, for errors.Is.
var (
	ErrNoKey            = errors.New("key not found")
	ErrRetry            = errors.New("temporary error")
	ErrBad              = errors.New("invalid request")
	ErrDeny             = errors.New("table is not approved")
	ErrConfig           = errors.New("configuration error")
	ErrUnexpectedStatus = errors.New("unexpected reply status")
	ErrConnection       = errors.New("communication failure")
)

// Retryable reports whether err means that the truth could not be asked now:
// the server said RETRY, or it could not be reached, or what it said made no
// sense, until the client gave up.
func Retryable(err error) bool {
	return errors.Is(err, ErrRetry) || errors.Is(err, ErrConnection) || errors.Is(err, ErrUnexpectedStatus)
}

// Error is the error of a client's request. errors.Is finds one of the errors
// above in it and, behind ErrConnection, the cause.
type Error struct {
	Service  string
	Kind     Kind
	Table    string
	Key      string // lookup, update, delete, explain
	Function int    // sequence
	Status   Status // of the reply; meaningless with ErrConnection
	Reason   error  // one of the errors above
	Cause    error  // with ErrConnection: why the last try failed
}

// Error describes the failure in Postfix's words where it has some.
func (e *Error) Error() string {
	switch e.Reason {
	case ErrDeny:
		if e.Kind == Update || e.Kind == Delete {
			return fmt.Sprintf("%s update access is not configured for table \"%s\"", e.Service, printable([]byte(e.Table)))
		}
		return fmt.Sprintf("%s service is not configured for table \"%s\"", e.Service, printable([]byte(e.Table)))
	case ErrUnexpectedStatus:
		return fmt.Sprintf("%s: %v %d", e.subject(), e.Reason, int(e.Status))
	case ErrConnection:
		return fmt.Sprintf("%s: %v: %v", e.subject(), e.Reason, e.Cause)
	}
	return fmt.Sprintf("%s: %v", e.subject(), e.Reason)
}

func (e *Error) subject() string {
	text := fmt.Sprintf("%s %s failed for table \"%s\"", e.Service, e.Kind, printable([]byte(e.Table)))
	switch e.Kind {
	case Lookup, Update, Delete, Explain:
		text += fmt.Sprintf(" key \"%s\"", printable([]byte(e.Key)))
	case Sequence:
		text += fmt.Sprintf(" function %d", e.Function)
	}
	return text
}

// Unwrap returns the reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Cause}
}

func (c *Client) newError(q *Request, reason, cause error) *Error {
	return &Error{
		Service: c.opt.Service, Kind: q.Kind, Table: q.Table, Key: string(q.Key),
		Function: q.Function, Reason: reason, Cause: cause,
	}
}

// statusError returns the error for a reply, nil for OK.
func (c *Client) statusError(q *Request, s Status) error {
	reason := ErrUnexpectedStatus
	switch s {
	case StatusOK:
		return nil
	case StatusNoKey:
		reason = ErrNoKey
	case StatusRetry:
		reason = ErrRetry
	case StatusBad:
		reason = ErrBad
	case StatusDeny:
		reason = ErrDeny
	case StatusConfig:
		reason = ErrConfig
	}
	if !expected(q.Kind, s) {
		reason = ErrUnexpectedStatus
	}
	err := c.newError(q, reason, nil)
	err.Status = s
	return err
}

// expected: an open request is answered OK, DENY or BAD; Postfix's client
// repeats it on anything else.
func expected(k Kind, s Status) bool {
	if k == Open {
		return s == StatusOK || s == StatusDeny || s == StatusBad
	}
	return s >= StatusOK && s <= StatusConfig
}
