package master

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/proxymapd/proxymapd/internal/config"
)

// Transport types of master.cf.
const (
	transportInet  = "inet"
	transportUnix  = "unix"
	transportFifo  = "fifo"
	transportPass  = "pass"
	transportDgram = "unix-dgram"
)

// endpoint says where a service listens, and who it is across reloads: the same
// name and transport are the same service.
type endpoint struct {
	name      string           // canonical: private/proxymap, 25, [::1]:25
	transport string           // one of the transport types
	addrs     []netip.AddrPort // inet: what to listen on; otherwise empty
	badPort   error            // inet: why the ports in addrs are unusable, or nil
	wrapped   bool             // inet: the port number was out of range
	backlog   int              // of listen(2)
}

// newEndpoint makes the endpoint of a master.cf entry. Errors name file and line.
func newEndpoint(entry *config.Service, net network) (endpoint, error) {
	e := endpoint{name: entry.Endpoint(), transport: entry.Type}
	if entry.Type != transportInet {
		return e, nil
	}
	addrs, err := net.listenAddrs(entry.Host, entry.Name)
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("no valid IP address found: %s", entry.Name)
	}
	if err != nil {
		return e, fmt.Errorf("%s: line %d: %w", entry.File, entry.Line, err)
	}
	port, wrapped, err := lookupPort(entry.Port)
	e.wrapped = wrapped
	if err != nil {
		e.badPort = &portError{addr: addrs[0], port: entry.Port}
	}
	for _, a := range addrs {
		e.addrs = append(e.addrs, netip.AddrPortFrom(a, port))
	}
	return e, nil
}

// same says whether two endpoints belong to the same service.
func (e *endpoint) same(other *endpoint) bool {
	return e.name == other.name && e.transport == other.transport
}

// sockets is the number of listening sockets that a worker inherits.
func (e *endpoint) sockets() int { return max(1, len(e.addrs)) }

// localOnly says whether only this machine can reach the endpoint. A worker
// behind a connection screener (pass) is likely to serve remote clients.
func (e *endpoint) localOnly() bool {
	for _, a := range e.addrs {
		if !a.Addr().IsLoopback() {
			return false
		}
	}
	return e.transport != transportPass
}

var errServiceName = errors.New("unknown service name")

// lookupPort finds the TCP port for a number or a services(5) name. A number that
// does not fit is taken modulo 65536, as getaddrinfo(3) does it; wrapped tells.
func lookupPort(port string) (number uint16, wrapped bool, err error) {
	if port != "" && '0' <= port[0] && port[0] <= '9' {
		n, err := strconv.ParseUint(port, 10, 64)
		if err != nil {
			return 0, false, errServiceName
		}
		return uint16(n), n > 65535, nil
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return 0, false, errServiceName
	}
	return uint16(n), false, nil
}

// portError says that a service cannot listen because its port does not exist.
type portError struct {
	addr netip.Addr
	port string
}

// Error has the words of getaddrinfo(3).
func (e *portError) Error() string {
	return e.addr.String() + ":" + e.port + ": Servname not supported for ai_socktype"
}

func (e *portError) Unwrap() error { return errServiceName }
