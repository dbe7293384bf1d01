package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// ownNetworks returns the default of mynetworks for this machine.
func ownNetworks(style, interfaces, protocols string) string {
	return networksOf(localAddresses(), style, interfaces, protocols)
}

// networksOf lists, for each local address that inet_interfaces and inet_protocols select, the host, its subnet or its
// class A, B or C network. What cannot be found is left out.
func networksOf(local []netip.Prefix, style, interfaces, protocols string) string {
	var list []string
	for _, prefix := range selectAddresses(local, interfaces) {
		addr := prefix.Addr()
		if !protocolEnabled(protocols, addr) {
			continue
		}
		bits := networkBits(style, prefix)
		network := netip.PrefixFrom(addr, bits).Masked()
		text := network.String()
		if addr.Is6() {
			text = "[" + network.Addr().String() + "]" + text[strings.IndexByte(text, '/'):]
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, " ")
}

func networkBits(style string, prefix netip.Prefix) int {
	addr := prefix.Addr()
	switch {
	case style == "subnet" || style == "class" && addr.Is6():
		return prefix.Bits()
	case style == "class":
		switch first := addr.As4()[0]; {
		case first < 128:
			return 8
		case first < 192:
			return 16
		case first < 224:
			return 24
		}
		return 4
	}
	return addr.BitLen()
}

// localAddresses lists the addresses of the interfaces that are up, IPv4 first as the system lists them.
func localAddresses() []netip.Prefix {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var v4, v6 []netip.Prefix
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			switch {
			case err != nil || prefix.Addr().IsUnspecified():
			case prefix.Addr().Is4():
				v4 = append(v4, prefix)
			default:
				v6 = append(v6, prefix)
			}
		}
	}
	return append(v4, v6...)
}

// selectAddresses keeps what inet_interfaces names: all, loopback-only, or addresses and host names.
func selectAddresses(local []netip.Prefix, interfaces string) []netip.Prefix {
	switch interfaces {
	case "all":
		return local
	case "loopback-only":
		return slices.DeleteFunc(slices.Clone(local), func(p netip.Prefix) bool { return !p.Addr().IsLoopback() })
	}
	var selected []netip.Prefix
	for _, host := range textfile.SplitList(interfaces) {
		for _, addr := range hostAddresses(host) {
			for _, prefix := range local {
				if prefix.Addr() == addr && !slices.Contains(selected, prefix) {
					selected = append(selected, prefix)
				}
			}
		}
	}
	return selected
}

func hostAddresses(host string) []netip.Addr {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return nil
	}
	var addrs []netip.Addr
	for _, ip := range ips {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// protocolEnabled tells whether inet_protocols (ipv4, ipv6, all) has the address's family.
func protocolEnabled(protocols string, addr netip.Addr) bool {
	family := "ipv4"
	if addr.Is6() {
		family = "ipv6"
	}
	for _, name := range textfile.SplitList(protocols) {
		if strings.EqualFold(name, "all") || strings.EqualFold(name, family) {
			return true
		}
	}
	return false
}
