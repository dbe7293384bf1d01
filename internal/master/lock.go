package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Lock files. Postfix's master uses the same ones in the same way, so that at
// most one master of either kind runs on a queue or on a data directory.
const (
	pidFile  = "pid/master.pid" // in queue_directory
	dataLock = "/master.lock"   // in data_directory
)

var errLocked = errors.New("unable to set exclusive lock")

// lockFile opens a file, makes it if need be, takes an exclusive flock(2) and
// writes the process ID to it. The lock lasts until the file is closed.
func lockFile(path string) (*os.File, error) {
	f, err := openLocked(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("open lock file %s: %w", path, err)
	}
	if _, err := fmt.Fprintf(f, "%32d\n", os.Getpid()); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot update lock file %s: %w", path, err)
	}
	return f, nil
}

// openLocked opens a plain file that nobody has linked somewhere else, and locks
// it.
func openLocked(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, &osError{"cannot open file", err}
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	switch {
	case err != nil:
		err = &osError{"cannot examine file", err}
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errors.New("file is not a regular file")
	case st.Nlink != 1:
		err = fmt.Errorf("file has %d hard links", st.Nlink)
	default:
		if e := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); e != nil {
			err = fmt.Errorf("%w: %s", errLocked, strerror(e))
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// masterRuns says whether a master holds the lock on the queue that is the
// current directory (the -t option).
func masterRuns() bool {
	f, err := openLocked(pidFile, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		return true
	}
	f.Close()
	return false
}
