package indexed

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Between two attempts to get a lock: the first and the longest pause. Waiting
// in the kernel could not be interrupted.
const (
	firstPause = 200 * time.Microsecond
	maxPause   = 2 * time.Millisecond
)

// LockFcntl waits for an exclusive lock of the fcntl(2) kind on the whole file.
// It is a lock of the open file (F_OFD_SETLK), so that no other descriptor of
// this process can lose it; it conflicts with the classic POSIX locks of other
// programs, and with other descriptors of this process.
func LockFcntl(ctx context.Context, f *os.File) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	return wait(ctx, f, func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) })
}

// UnlockFcntl gives the lock back.
func UnlockFcntl(f *os.File) error {
	lock := unix.Flock_t{Type: unix.F_UNLCK}
	return wait(context.Background(), f, func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) })
}

// LockFlock waits for an exclusive lock of the flock(2) kind. Closing the file
// gives it back.
func LockFlock(ctx context.Context, f *os.File) error {
	return wait(ctx, f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
}

// LockFlockShared waits for a shared lock of the flock(2) kind.
func LockFlockShared(ctx context.Context, f *os.File) error {
	return wait(ctx, f, func(fd int) error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) })
}

// UnlockFlock gives a lock of the flock(2) kind back.
func UnlockFlock(f *os.File) error {
	return wait(context.Background(), f, func(fd int) error { return unix.Flock(fd, unix.LOCK_UN) })
}

// wait calls try until it does not say that somebody else has the lock, or ctx
// is done.
func wait(ctx context.Context, f *os.File, try func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		var lockErr error
		if err := raw.Control(func(fd uintptr) { lockErr = try(int(fd)) }); err != nil {
			return err
		}
		switch {
		case errors.Is(lockErr, unix.EINTR):
			continue
		case !errors.Is(lockErr, unix.EAGAIN) && !errors.Is(lockErr, unix.EACCES):
			return lockErr
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
