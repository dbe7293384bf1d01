package master

import (
	"golang.org/x/sys/unix"
)

// statusChannel is a socket pair over which the workers of a service report.
// Messages keep their boundaries, so that one torn or overlong message does not
// make nonsense of all that follow. The master holds the workers' end open too;
// closing both is what workers see as the end of the master.
type statusChannel struct {
	reader *watcher
	worker int // the end that workers inherit
	buf    [64]byte
}

// newStatusChannel makes a channel. The function notify is called, once per
// arm, when a message has arrived.
func newStatusChannel(notify func()) (*statusChannel, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &osError{"status channel", err}
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, &osError{"status channel", err}
	}
	c := &statusChannel{worker: fds[1]}
	c.reader, err = newWatcher(fds[0], "status channel", notify)
	if err != nil {
		unix.Close(fds[1])
		return nil, err
	}
	return c, nil
}

// read gives one message, or errNoStatus, or errStatusClosed.
func (c *statusChannel) read() ([]byte, error) {
	for {
		n, err := unix.Read(c.reader.fd, c.buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, errNoStatus
		case err != nil:
			return nil, &osError{"status channel: read", err}
		case n == 0 && pollNow(c.reader.fd, unix.POLLRDHUP):
			return nil, errStatusClosed
		}
		return c.buf[:n], nil
	}
}

func (c *statusChannel) close() {
	c.reader.close()
	unix.Close(c.worker)
}
