package master

import (
	"errors"
	"strings"
	"syscall"
)

// strerror gives an operating system error as C programs print it: with a
// capital letter, which is what administrators search their logs for.
func strerror(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text := errno.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

// osError is an operating system error with a text in front that says what was
// being done to what, in Postfix's wording.
type osError struct {
	doing string
	err   error
}

func (e *osError) Error() string { return e.doing + ": " + strerror(e.err) }
func (e *osError) Unwrap() error { return e.err }
