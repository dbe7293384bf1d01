package cidr

import (
	"net/netip"
	"strconv"
	"unsafe"
)

// maxAddr is the length of the longest text form of an address.
const maxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// parseAddr parses an address as inet_pton(3) does: four decimal numbers, or
// with a colon in it an IPv6 address without zone.
func parseAddr(text string) (netip.Addr, bool) {
	if !looksLikeAddr(text) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}

// parseKey is parseAddr for a lookup key. Host names, which are common keys,
// are told apart without allocating an error.
func parseKey(key []byte) (netip.Addr, bool) {
	// ParseAddr keeps nothing of a text without a zone.
	return parseAddr(unsafe.String(unsafe.SliceData(key), len(key)))
}

// looksLikeAddr reports whether text is no longer than an address and consists
// of its characters: with three dots, or with as many colons as an address has
// that is not shortened, or shortened. Partial addresses, which Postfix looks up
// as well, are not among them.
func looksLikeAddr(text string) bool {
	if len(text) > maxAddr {
		return false
	}
	var dots, colons, hex int
	short := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
		case c == '.':
			dots++
		case c == ':':
			colons++
			short = short || i > 0 && text[i-1] == ':'
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			hex++
		default:
			return false
		}
	}
	if colons == 0 {
		return dots == 3 && hex == 0
	}
	return short || colons == 7 || colons == 6 && dots == 3
}

// formatAddr writes an address as inet_ntop(3) does, which for an address with
// 96 leading zero bits differs from netip.Addr.String.
func formatAddr(a netip.Addr) string {
	if !a.Is6() || a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	for _, c := range b[:12] {
		if c != 0 {
			return a.String()
		}
	}
	if b[12] == 0 && b[13] == 0 {
		return a.String()
	}
	text := []byte("::")
	for i, c := range b[12:] {
		if i > 0 {
			text = append(text, '.')
		}
		text = strconv.AppendUint(text, uint64(c), 10)
	}
	return string(text)
}
