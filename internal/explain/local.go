package explain

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/query"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// isLocal reports whether a domain is one of this system, and notes why: it is
// $myorigin, in $mydestination, or one of the system's network addresses
// (Postfix: resolve_local(3)).
func (p *planner) isLocal(domain string) bool {
	name := strings.TrimSuffix(domain, ".")
	switch {
	case strings.EqualFold(domain, p.param("myorigin")):
		p.note("%s is $myorigin: the domain is local", domain)
	case name == "" || strings.HasSuffix(name, "."):
		p.note("%q is no domain, and not local", domain)
		return false
	case p.inList("mydestination", name):
		p.note("%s is in $mydestination: the domain is local", domain)
	case p.ownAddress(name):
		p.note("%s is an address of this system (inet_interfaces, proxy_interfaces): the domain is local", domain)
	default:
		p.note("%s is not local ($myorigin, $mydestination, $inet_interfaces, $proxy_interfaces): the user alone is not looked up", domain)
		return false
	}
	return true
}

// inList reports whether a list of main.cf, which may name tables and files, has
// a name. A list that cannot be asked is assumed not to have it.
func (p *planner) inList(param, name string) bool {
	list := p.param(param)
	domains, err := query.OpenDomains(p.Env, param, list)
	if err == nil {
		defer domains.Close()
		var found bool
		if found, err = domains.Match(context.Background(), []byte(name)); err == nil {
			return found
		}
	}
	p.note("assumed that %s is not in %s, which cannot be asked: %v", name, param, err)
	return false
}

// ownAddress reports whether a domain is "[address]" with an address that mail
// for this system comes in on.
func (p *planner) ownAddress(domain string) bool {
	if !strings.HasPrefix(domain, "[") || !strings.HasSuffix(domain, "]") {
		return false
	}
	inside := domain[1 : len(domain)-1]
	if len(inside) > 5 && strings.EqualFold(inside[:5], "IPv6:") {
		inside = inside[5:]
	}
	addr, err := netip.ParseAddr(inside)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	for _, name := range textfile.SplitList(p.param("proxy_interfaces")) {
		if hasAddress(name, addr) {
			return true
		}
	}
	for _, name := range textfile.SplitList(p.param("inet_interfaces")) {
		switch strings.ToLower(name) {
		case "all":
			if onMachine(addr) {
				return true
			}
		case "loopback-only":
			if addr.IsLoopback() && onMachine(addr) {
				return true
			}
		default:
			if hasAddress(name, addr) {
				return true
			}
		}
	}
	return false
}

// hasAddress reports whether a host name or address is, or has, an address.
func hasAddress(name string, addr netip.Addr) bool {
	hosts := []string{strings.Trim(name, "[]")}
	if _, err := netip.ParseAddr(hosts[0]); err != nil {
		hosts, _ = net.LookupHost(hosts[0]) // an unknown host has no address
	}
	for _, text := range hosts {
		if a, err := netip.ParseAddr(text); err == nil && a.Unmap() == addr {
			return true
		}
	}
	return false
}

// onMachine reports whether a network interface has an address.
func onMachine(addr netip.Addr) bool {
	all, _ := net.InterfaceAddrs() // a machine that does not tell has none
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == addr {
			return true
		}
	}
	return false
}
