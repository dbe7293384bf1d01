package maptypes

import (
	"errors"
	"strings"
	"syscall"
)

// systemError prints an error number as the C library does.
type systemError struct {
	errno syscall.Errno
	err   error
}

// SystemError returns err with the text that strerror(3) gives for its error
// number ("No such file or directory") and nothing else: the caller says what
// was done to what, as in "open database /etc/x: %w". An error without a number
// is returned as it is.
func SystemError(err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	return &systemError{errno: errno, err: err}
}

// Error returns Go's text with a capital letter, which is glibc's text.
func (e *systemError) Error() string {
	text := e.errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

func (e *systemError) Unwrap() error { return e.err }
