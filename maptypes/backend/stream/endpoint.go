package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Endpoint is where a server listens.
type Endpoint struct {
	network string // "tcp" or "unix"
	address string // host:port for net.Dial, or a path
	text    string
}

// maxPath is the longest name of a UNIX socket, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Parse parses "inet:host:port", "unix:path" or "local:path" (the same). The
// error has class ErrConfig.
func Parse(service string) (Endpoint, error) {
	transport, rest, ok := strings.Cut(service, ":")
	if !ok || transport == "" || rest == "" {
		return Endpoint{}, maptypes.Configf("need service transport:endpoint instead of \"%s\"", service)
	}
	switch transport {
	case "inet":
		return ParseInet(rest)
	case "unix", "local":
		if len(rest) > maxPath {
			return Endpoint{}, maptypes.Configf("unix-domain name too long: %s", rest)
		}
		return Endpoint{network: "unix", address: rest, text: rest}, nil
	}
	return Endpoint{}, maptypes.Configf("invalid transport name: %s in service: %s", transport, service)
}

// ParseInet parses "host:port" and its short forms "port" and ":port", which
// mean localhost. The host may stand in brackets, and does if it is an IPv6
// address; the port may be a name of services(5). The error has class
// ErrConfig.
func ParseInet(text string) (Endpoint, error) {
	host, port, why := splitHostPort(text)
	if why != "" {
		return Endpoint{}, maptypes.Configf("%s: %s", text, why)
	}
	return Endpoint{network: "tcp", address: net.JoinHostPort(host, port), text: text}, nil
}

// splitHostPort returns host and port, or what is wrong with the text.
func splitHostPort(text string) (host, port, why string) {
	if bracketed, ok := strings.CutPrefix(text, "["); ok {
		host, port, ok = strings.Cut(bracketed, "]")
		if !ok {
			return "", "", "missing \"]\""
		}
		if port != "" && port[0] != ':' {
			return "", "", "garbage after \"]\""
		}
		port = strings.TrimPrefix(port, ":")
		if len(host) >= 5 && strings.EqualFold(host[:5], "IPv6:") {
			host = host[5:]
			if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
				return "", "", "malformed IPv6 address"
			}
		}
	} else if colon := strings.LastIndexByte(text, ':'); colon >= 0 {
		host, port = text[:colon], text[colon+1:]
		if host == "" {
			host = "localhost"
		}
	} else {
		host, port = "localhost", text
	}
	switch {
	case port == "":
		return "", "", "missing service information"
	case !validHost(host):
		return "", "", "valid hostname or network address required"
	case isDigit(port[0]) && strings.Trim(port, "0123456789") != "":
		return "", "", "garbage after numerical service"
	}
	return host, port, ""
}

// validHost looks for what no host name or address can have; the resolver knows
// the rest.
func validHost(host string) bool {
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return host != "" && !strings.ContainsAny(host, " \t\r\n/[]")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// String returns the endpoint as it was written, without the transport.
func (e Endpoint) String() string { return e.text }

// IsUnix reports whether it is a UNIX socket.
func (e Endpoint) IsUnix() bool { return e.network == "unix" }

// Key is the same for endpoints that are the same.
func (e Endpoint) Key() string { return e.network + ":" + e.address }

// Dial connects to the server. The error has the C library's text.
func (e Endpoint) Dial(ctx context.Context) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, e.network, e.address)
	var dns *net.DNSError
	var addr *net.AddrError
	switch {
	case err == nil:
		return NewConn(c), nil
	case errors.As(err, &dns):
		return nil, fmt.Errorf("host or service %s not found: %s", e.text, dns.Err)
	case errors.As(err, &addr):
		return nil, fmt.Errorf("host or service %s not found: %s", e.text, addr.Err)
	}
	return nil, maptypes.SystemError(err)
}
