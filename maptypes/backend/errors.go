package backend

import (
	"errors"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
)

// ErrFull is wrapped by the error of a Dial when the server takes no more
// connections of this user now. That is no reason to call it down.
var ErrFull = errors.New("too many connections")

// errClosed says that the last table of a server is closed.
var errClosed = errors.New("the table is closed")

// errBusy says that no connection became free in time.
var errBusy = errors.New("all connections are in use (max_connections)")

// errSpent says the same of all connections of this process.
var errSpent = errors.New("all connections of this process are in use (proxymapd_backend_connections)")

// errSlow says that the attempt to connect has taken too long.
var errSlow = maptypes.SystemError(syscall.ETIMEDOUT)

// errLate says that a new connection was not ready in time for a lookup. The
// attempt goes on without it.
var errLate = errors.New("no connection in time")

type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// Lost marks err as the loss of the connection in use.
func Lost(err error) error { return &lostError{err} }

// IsLost reports whether err was made by Lost.
func IsLost(err error) bool {
	_, ok := err.(*lostError)
	return ok
}
