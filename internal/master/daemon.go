package master

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// initTimeout is how long -w waits for a daemon: long enough for a name service
// that is slow to find the hosts in the configuration.
const initTimeout = 100 * time.Second

// envMonitor tells a master that another one, its parent, waits for a byte on
// this descriptor.
const envMonitor = "PROXYMAPD_MONITOR_FD"

var errInitFailed = errors.New("daemon initialization failure -- see logs for details")

// monitor executes this program once more, as the daemon, and waits until that
// has told that it is ready. A Go program cannot fork.
func monitor() error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return &osError{"pipe", err}
	}
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the executable file: %w", err)
	}
	const childFD = 3
	pid, err := syscall.ForkExec(exe, os.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), envMonitor+"="+strconv.Itoa(childFD)),
		Files: []uintptr{0, 1, 2, childFD: uintptr(fds[1])},
	})
	unix.Close(fds[1])
	if err != nil {
		return &osError{"fork", err}
	}
	ready, err := awaitByte(fds[0], initTimeout)
	if err != nil {
		// It still runs, but something is wrong with it.
		unix.Kill(pid, unix.SIGKILL)
		return fmt.Errorf("%w: %w", errInitFailed, err)
	}
	if !ready {
		return errInitFailed
	}
	return nil
}

// awaitByte waits for a byte; the result is false at the end of file.
func awaitByte(fd int, limit time.Duration) (bool, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return false, err
	}
	f := os.NewFile(uintptr(fd), "monitor pipe")
	defer f.Close()
	if err := f.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return false, err
	}
	n, err := f.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, err
	}
	return n == 1, nil
}

// takeMonitor gives the descriptor on which a parent waits, or -1.
func takeMonitor() int {
	fd, err := strconv.Atoi(os.Getenv(envMonitor))
	os.Unsetenv(envMonitor)
	var st unix.Stat_t
	if err != nil || fd < 3 || unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return -1
	}
	unix.CloseOnExec(fd)
	return fd
}

// reportReady tells the parent that waits.
func reportReady(fd int) {
	if fd >= 0 {
		unix.Write(fd, []byte{0})
		unix.Close(fd)
	}
}

// closeInherited closes the descriptors above 2 that the parent process has
// left open: somebody may wait for the last copy to be closed, and no worker
// must get them. They are the ones without the close-on-exec flag; those with it
// were opened since, by the Go runtime for example.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// detach gets rid of the terminal: standard input, output and error become
// /dev/null (output can be kept), and the process leads a session and process
// group of its own. Process 1 leads no session, it only lets go of the files.
func detach(keepStdout, session bool) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &osError{"open /dev/null", err}
	}
	for fd := 0; fd < 3; fd++ {
		if fd == 1 && keepStdout {
			continue
		}
		if err := unix.Dup3(null, fd, 0); err != nil && null != fd {
			return &osError{"open /dev/null", err}
		}
	}
	if null > 2 {
		unix.Close(null)
	}
	if !session {
		return nil
	}
	if _, err := unix.Setsid(); err != nil {
		if sid, e := unix.Getsid(0); e != nil || sid != os.Getpid() {
			return &osError{"unable to set session and process group ID", err}
		}
	}
	return nil
}

// raiseFileLimit lets workers have as many open files as the system allows. Go
// raises its own limit but gives children the old one, unless it is set
// explicitly.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
