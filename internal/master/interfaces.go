package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// protocols is the set of network protocols that inet_protocols enables.
type protocols struct{ ipv4, ipv6 bool }

// parseProtocols reads the value of inet_protocols.
func parseProtocols(value string) (protocols, error) {
	var p protocols
	for _, name := range splitList(value) {
		switch strings.ToLower(name) {
		case "all":
			p.ipv4, p.ipv6 = true, true
		case "ipv4":
			p.ipv4 = true
		case "ipv6":
			p.ipv6 = true
		default:
			return p, fmt.Errorf("unknown inet_protocols value %q in %q", name, value)
		}
	}
	return p, nil
}

// supported drops the protocols that the kernel does not have, with a warning
// for each.
func (p protocols) supported() (protocols, []string) {
	var warnings []string
	check := func(name string, family int, on *bool) {
		if !*on {
			return
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
			return
		}
		*on = false
		warnings = append(warnings, fmt.Sprintf("inet_protocols: disabling %s name/address support: %s", name, strerror(err)))
	}
	check("IPv6", unix.AF_INET6, &p.ipv6)
	check("IPv4", unix.AF_INET, &p.ipv4)
	return p, warnings
}

func (p protocols) none() bool { return !p.ipv4 && !p.ipv6 }

func (p protocols) allow(a netip.Addr) bool {
	if a.Is4() {
		return p.ipv4
	}
	return p.ipv6
}

// splitList splits a list of names as main.cf writes them: commas and blanks.
func splitList(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// network finds the addresses that inet services listen on.
type network struct {
	interfaces string    // inet_interfaces
	protocols  protocols // those enabled and supported
}

// wildcard gives the addresses that stand for every interface.
func (n network) wildcard() []netip.Addr {
	var addrs []netip.Addr
	if n.protocols.ipv4 {
		addrs = append(addrs, netip.IPv4Unspecified())
	}
	if n.protocols.ipv6 {
		addrs = append(addrs, netip.IPv6Unspecified())
	}
	return addrs
}

// resolve gives the addresses of a host name or a numeric address, without
// duplicates and without those of disabled protocols. Not finding any is not an
// error: the result is empty.
func (n network) resolve(host string) []netip.Addr {
	found, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", host)
	if err != nil {
		return nil
	}
	return n.usable(found)
}

func (n network) usable(found []netip.Addr) []netip.Addr {
	var addrs []netip.Addr
	seen := make(map[netip.Addr]bool)
	for _, a := range found {
		a = a.Unmap()
		if n.protocols.allow(a) && !seen[a] {
			seen[a] = true
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// listenAddrs gives the addresses for an inet service that names the host, or
// none (""): then inet_interfaces decides.
func (n network) listenAddrs(host, name string) ([]netip.Addr, error) {
	if host != "" {
		addrs := n.resolve(host)
		if len(addrs) == 0 {
			return nil, fmt.Errorf("bad hostname or network address: %s", name)
		}
		return addrs, nil
	}
	if strings.EqualFold(n.interfaces, "all") {
		return n.wildcard(), nil
	}
	addrs, err := n.ownAddrs()
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, errors.New("service definition requires valid host name or address, or non-empty inet_interfaces setting")
	}
	return addrs, nil
}

// ownAddrs gives the addresses that inet_interfaces names, when it is not "all".
func (n network) ownAddrs() ([]netip.Addr, error) {
	local, err := localAddrs()
	if err != nil {
		return nil, err
	}
	if n.interfaces == "loopback-only" {
		var loopback []netip.Addr
		for _, a := range n.usable(local) {
			if a.IsLoopback() {
				loopback = append(loopback, a)
			}
		}
		return loopback, nil
	}
	isLocal := make(map[netip.Addr]bool)
	for _, a := range local {
		isLocal[a] = true
	}
	var addrs []netip.Addr
	for _, host := range splitList(n.interfaces) {
		found := n.resolve(strings.Trim(host, "[]"))
		if len(found) == 0 {
			return nil, fmt.Errorf("config variable inet_interfaces: host not found: %s", host)
		}
		addrs = append(addrs, found...)
	}
	addrs = n.usable(addrs)
	for _, a := range addrs {
		if !isLocal[a.WithZone("")] {
			return nil, fmt.Errorf("parameter inet_interfaces: no local interface found for %s", a)
		}
	}
	return addrs, nil
}

// localAddrs gives the addresses of the machine's interfaces.
func localAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	if len(addrs) == 0 {
		return nil, errors.New("could not find any active network interfaces")
	}
	return addrs, nil
}
