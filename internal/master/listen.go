package master

import (
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Modes of local endpoints: any local user may connect, as far as the directory
// lets them through.
const (
	socketMode = 0o666
	fifoMode   = 0o622
)

// openListeners makes the non-blocking listening descriptors of a definition:
// one, or for an inet service one for each address. Names of local endpoints are
// relative to the current directory, which is the queue directory; that keeps
// them short enough for a socket address.
func openListeners(d *definition, o owner) ([]int, error) {
	if d.transport == transportInet {
		return listenInet(d)
	}
	fd := -1
	err := o.do(func() (err error) {
		switch d.transport {
		case transportFifo:
			fd, err = listenFifo(d.name)
		case transportDgram:
			fd, err = listenLocal(d.name, unix.SOCK_DGRAM, 0)
		default:
			fd, err = listenLocal(d.name, unix.SOCK_STREAM, d.backlog)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return []int{fd}, nil
}

// removeStale removes what a former master has left in our place.
func removeStale(path string) error {
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return &osError{"remove " + path, err}
	}
	return nil
}

// maxSocketPath is the longest name that fits a UNIX socket address.
const maxSocketPath = len(unix.RawSockaddrUnix{}.Path) - 1

func listenLocal(path string, kind, backlog int) (fd int, err error) {
	if len(path) > maxSocketPath {
		return -1, &osError{"unix-domain name too long: " + path, unix.ENAMETOOLONG}
	}
	fd, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &osError{"socket", err}
	}
	defer closeOnError(fd, &err)
	if err := removeStale(path); err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return -1, &osError{"bind: " + path, err}
	}
	if err := unix.Chmod(path, socketMode); err != nil {
		return -1, &osError{"chmod socket " + path, err}
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, backlog); err != nil {
			return -1, &osError{"listen", err}
		}
	}
	return fd, nil
}

// listenFifo makes a named pipe and opens it for reading and writing, so that it
// never reports an end of file for want of writers.
func listenFifo(path string) (fd int, err error) {
	if err := removeStale(path); err != nil {
		return -1, err
	}
	if err := unix.Mkfifo(path, fifoMode); err != nil {
		return -1, &osError{"create fifo " + path, err}
	}
	fd, err = unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, &osError{"open " + path, err}
	}
	defer closeOnError(fd, &err)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, &osError{"fstat " + path, err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return -1, &osError{"not a fifo: " + path, unix.EINVAL}
	}
	// The mode given to mkfifo(2) was subject to the umask.
	if err := unix.Fchmod(fd, fifoMode); err != nil {
		return -1, &osError{"fchmod " + path, err}
	}
	return fd, nil
}

func listenInet(d *definition) ([]int, error) {
	if d.badPort != nil {
		return nil, d.badPort
	}
	var fds []int
	for _, addr := range d.addrs {
		fd, err := listenTCP(addr, d.backlog)
		if err != nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func listenTCP(addr netip.AddrPort, backlog int) (fd int, err error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, &osError{"socket", err}
	}
	defer closeOnError(fd, &err)
	if family == unix.AF_INET6 {
		// IPv4 has sockets of its own; [::]:25 and 0.0.0.0:25 must not clash.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return -1, &osError{"setsockopt(IPV6_V6ONLY)", err}
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return -1, &osError{"setsockopt(SO_REUSEADDR)", err}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return -1, &osError{"setsockopt(SO_REUSEPORT)", err}
	}
	if err := unix.Bind(fd, sockaddr(addr)); err != nil {
		return -1, &osError{"bind " + addr.Addr().String() + " port " + strconv.Itoa(int(addr.Port())), err}
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return -1, &osError{"listen", err}
	}
	return fd, nil
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if a := addr.Addr(); a.Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
}

func closeOnError(fd int, err *error) {
	if *err != nil {
		unix.Close(fd)
	}
}
