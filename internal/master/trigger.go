package master

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// wakeupRequest is what a wakeup says (Postfix src/global/mail_proto.h,
// TRIGGER_REQ_WAKEUP). Stream transports have a NUL after it.
const wakeupRequest = 'W'

const (
	// triggerTime limits connecting and writing.
	triggerTime = 1 * time.Second
	// triggerLinger is how long a service may keep a wakeup connection open.
	triggerLinger = triggerTime + 100*time.Second
)

// Trigger sends a wakeup request to a service. Nothing here waits: the answer to
// a connection is that a worker is started, by the event loop that calls this.
func (k *kernel) Trigger(s *service) {
	// The functions below are executed by other goroutines than the event
	// loop's, to which the service belongs.
	log, extName, name, transport := k.m.log, s.extName, s.name, s.transport
	failed := func(err error) {
		if err != nil {
			log.Warnf("master_wakeup_timer_event: service %s(%s): %s", extName, name, strerror(err))
		}
	}
	late := func() { log.Warnf("%s_trigger_event: read timeout for service %s", transport, name) }
	switch transport {
	case transportDgram:
		failed(unix.EOPNOTSUPP)
	case transportFifo:
		failed(triggerFifo(s.fds.listeners[0].fd))
	case transportPass:
		go func() { failed(triggerPass(name, late)) }()
	case transportInet:
		addr := dialAddr(s.addrs[0])
		go func() { failed(triggerStream("tcp", addr, late)) }()
	default:
		go func() { failed(triggerStream("unix", name, late)) }()
	}
}

// triggerFifo writes to the pipe that the master has open anyway. It does not
// look the pipe up by name, where somebody may have put a link. A full pipe has
// wakeups enough.
func triggerFifo(fd int) error {
	_, err := unix.Write(fd, []byte{wakeupRequest})
	if err == unix.EAGAIN {
		return nil
	}
	return err
}

// dialAddr is where a listening address can be reached from this machine.
func dialAddr(a netip.AddrPort) string {
	host := a.Addr()
	if host.IsUnspecified() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if a.Addr().Is6() {
			host = netip.IPv6Loopback()
		}
	}
	return net.JoinHostPort(host.String(), strconv.Itoa(int(a.Port())))
}

// triggerStream connects, writes the request, and holds the connection until the
// service closes it: a service that is told of a hang-up before it has read the
// request may miss it.
func triggerStream(network, addr string, late func()) error {
	conn, err := net.DialTimeout(network, addr, triggerTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(triggerTime))
	if _, err := conn.Write([]byte{wakeupRequest, 0}); err != nil {
		return nil // the service has closed the connection already
	}
	awaitClose(conn, late)
	return nil
}

// triggerPass connects and passes one end of a pipe, as if it were the
// connection of a client; the request is in the pipe.
func triggerPass(name string, late func()) error {
	conn, err := net.DialTimeout("unix", name, triggerTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	defer write.Close()
	raw, err := read.SyscallConn()
	if err != nil {
		return err
	}
	var rights []byte
	if err := raw.Control(func(fd uintptr) { rights = unix.UnixRights(int(fd)) }); err != nil {
		return err
	}
	conn.SetWriteDeadline(time.Now().Add(triggerTime))
	// Descriptors travel with at least one byte of data.
	if _, _, err := conn.(*net.UnixConn).WriteMsgUnix([]byte{0}, rights, nil); err != nil {
		return err
	}
	write.SetWriteDeadline(time.Now().Add(triggerTime))
	if _, err := write.Write([]byte{wakeupRequest, 0}); err != nil {
		return nil
	}
	awaitClose(conn, late)
	return nil
}

// awaitClose reads until the peer closes the connection, and calls late when it
// does not.
func awaitClose(conn net.Conn, late func()) {
	conn.SetReadDeadline(time.Now().Add(triggerLinger))
	_, err := io.Copy(io.Discard, conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		late()
	}
}
