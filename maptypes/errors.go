package maptypes

import (
	"errors"
	"fmt"
)

// The outcomes of a request that is not satisfied. They are four different
// things from the driver to the wire: a table that could not be asked never
// says "not found".
var (
	// ErrNotFound is returned when the table was asked and has no such key,
	// has no further entry (sequence), or has the key already (an update
	// without FlagDupReplace).
	ErrNotFound = errors.New("not found")
	// ErrRetry is returned when the table cannot answer now and may later.
	ErrRetry = errors.New("temporary lookup failure")
	// ErrConfig is returned when the table cannot answer before somebody
	// mends the configuration or the data.
	ErrConfig = errors.New("configuration error")
)

// classified is an error with text of its own that belongs to a class.
type classified struct {
	class error // ErrRetry or ErrConfig
	err   error
}

func (e *classified) Error() string   { return e.err.Error() }
func (e *classified) Unwrap() []error { return []error{e.class, e.err} }

// Retryf returns an error of class ErrRetry with the formatted text; the verb
// %w wraps a cause.
func Retryf(format string, args ...any) error {
	return &classified{ErrRetry, fmt.Errorf(format, args...)}
}

// Configf returns an error of class ErrConfig with the formatted text; the
// verb %w wraps a cause.
func Configf(format string, args ...any) error {
	return &classified{ErrConfig, fmt.Errorf(format, args...)}
}

// Class returns nil, ErrNotFound, ErrRetry or ErrConfig for the outcome err of
// a request. The outermost class counts: an ErrRetry may be caused by an
// ErrConfig elsewhere. An error of no class is a fault that may pass, hence
// ErrRetry.
func Class(err error) error {
	var c *classified
	switch {
	case err == nil:
		return nil
	case err == ErrNotFound:
		return ErrNotFound
	case errors.As(err, &c):
		return c.class
	case errors.Is(err, ErrNotFound):
		return ErrNotFound
	case errors.Is(err, ErrConfig):
		return ErrConfig
	default:
		return ErrRetry
	}
}

// Reason returns the text to log for a failed request. It is empty when there
// is nothing to say: no error, "not found", or a bare class without a cause
// (the fail: type).
func Reason(err error) string {
	if err == nil || err == ErrRetry || err == ErrConfig || Class(err) == ErrNotFound {
		return ""
	}
	return err.Error()
}
