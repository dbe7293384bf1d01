package bdb

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrDamaged is what errors about a file that contradicts itself are
// (errors.Is).
var ErrDamaged = errors.New("damaged database")

// damagedError says what is wrong with a file.
type damagedError string

func (e damagedError) Error() string        { return "damaged database: " + string(e) }
func (e damagedError) Is(target error) bool { return target == ErrDamaged }

func damaged(format string, args ...any) error {
	return damagedError(fmt.Sprintf(format, args...))
}

// ForeignError is the reason why a file cannot be read as a database of the
// wanted kind. libdb has EINVAL for all of them.
type ForeignError string

func (e ForeignError) Error() string { return string(e) }
func (e ForeignError) Unwrap() error { return syscall.EINVAL }

func foreign(format string, args ...any) error {
	return ForeignError(fmt.Sprintf(format, args...))
}
