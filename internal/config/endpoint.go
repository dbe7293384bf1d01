package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Endpoint is the name that tells services of one type apart, and that Postfix's messages show: the socket's path below
// queue_directory, or for inet [host]:port with the port as a number.
func (s *Service) Endpoint() string {
	if s.Type != "inet" {
		if s.Private {
			return "private/" + s.Name
		}
		return "public/" + s.Name
	}
	port := s.Port
	if n, err := net.LookupPort("tcp", port); err == nil {
		port = strconv.Itoa(n)
	}
	switch addr, err := netip.ParseAddr(s.Host); {
	case s.Host == "":
		return port
	case err == nil:
		return "[" + addr.String() + "]:" + port
	}
	return "[" + s.Host + "]:" + port
}

// Errors of splitHostPort, in Postfix's wording.
var (
	errNoBracket   = errors.New(`missing "]"`)
	errAfterHost   = errors.New(`garbage after "]"`)
	errIPv6Address = errors.New("malformed IPv6 address")
	errNoPort      = errors.New("missing service information")
	errBadHost     = errors.New("valid hostname or network address required")
	errAfterPort   = errors.New("garbage after numerical service")
)

// splitHostPort splits [host]:port, host:port or port. The host may be empty.
func splitHostPort(s string) (host, port string, err error) {
	if bracketed, ok := strings.CutPrefix(s, "["); ok {
		if host, port, err = splitBracketed(bracketed); err != nil {
			return "", "", err
		}
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	} else {
		port = s
	}
	switch {
	case port == "":
		return "", "", errNoPort
	case host != "" && !validHostname(host) && !validAddress(host):
		return "", "", errBadHost
	case '0' <= port[0] && port[0] <= '9' && !allDigits(port):
		return "", "", errAfterPort
	}
	return host, port, nil
}

// splitBracketed splits what follows an opening bracket. The host may be written ipv6:address.
func splitBracketed(s string) (host, port string, err error) {
	host, port, ok := strings.Cut(s, "]")
	if !ok {
		return "", "", errNoBracket
	}
	if port != "" && port[0] != ':' {
		return "", "", errAfterHost
	}
	const prefix = "ipv6:"
	if len(host) >= len(prefix) && strings.EqualFold(host[:len(prefix)], prefix) {
		host = host[len(prefix):]
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() {
			return "", "", errIPv6Address
		}
	}
	return host, strings.TrimPrefix(port, ":"), nil
}

func validAddress(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}

// validHostname checks the form of a domain name: labels of letters, digits, hyphens and underscores (not the first or
// last character: a hyphen), and at least one character that is not a digit or dot. Bytes above ASCII pass: a name may
// be internationalized.
func validHostname(name string) bool {
	if len(name) > 255 {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !isNameByte(c) && c != '-' && c < 0x80 {
				return false
			}
			numeric = numeric && '0' <= c && c <= '9'
		}
	}
	return !numeric
}

// matchList is a list of name/type or type patterns, as in master_service_disable. The first pattern that matches
// decides; a leading ! turns its answer around. Upper and lower case are the same.
type matchList []string

func newMatchList(patterns string) matchList {
	var list matchList
	for _, pattern := range textfile.SplitList(patterns) {
		if i := strings.LastIndexByte(pattern, '.'); i >= 0 && !strings.Contains(pattern, "/") {
			pattern = pattern[:i] + "/" + pattern[i+1:] // the form of Postfix before 2.11
		}
		list = append(list, pattern)
	}
	return list
}

func (l matchList) match(nameType string) bool {
	kind := nameType[strings.LastIndexByte(nameType, '/')+1:]
	for _, pattern := range l {
		bare := strings.TrimLeft(pattern, "!")
		subject := kind
		if strings.Contains(bare, "/") {
			subject = nameType
		}
		if strings.EqualFold(subject, bare) {
			return (len(pattern)-len(bare))%2 == 0
		}
	}
	return false
}
