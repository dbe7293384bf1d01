package cidr

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// line adds the rule on one logical line. The error says why it is none.
func (b *builder) line(src *rulefile.Source, n int, text string) error {
	if rest, ok := rulefile.Keyword(text, "if"); ok {
		return b.condition(n, rest)
	}
	if rest, ok := rulefile.Keyword(text, "endif"); ok {
		return b.endCondition(rest)
	}
	return b.match(src, text)
}

// condition adds "if pattern".
func (b *builder) condition(n int, text string) error {
	text, negate := rulefile.Negation(text)
	net, err := parsePattern(textfile.TrimSpace(text))
	if err != nil {
		return err
	}
	b.addIf(n, net, negate)
	return nil
}

// endCondition adds "endif".
func (b *builder) endCondition(rest string) error {
	if textfile.TrimSpace(rest) != "" {
		return errors.New("garbage after ENDIF")
	}
	if b.stack.Empty() {
		return errors.New("ENDIF without IF")
	}
	b.addEndIf()
	return nil
}

// match adds "pattern result".
func (b *builder) match(src *rulefile.Source, text string) error {
	text, negate := rulefile.Negation(text)
	end := strings.IndexFunc(text, func(r rune) bool { return r < 0x80 && textfile.IsSpace(byte(r)) })
	if end < 0 {
		end = len(text)
	}
	net, err := parsePattern(text[:end])
	if err != nil {
		return err
	}
	value := textfile.TrimSpace(text[end:])
	if value == "" {
		return errors.New("no lookup result")
	}
	if src.Flags&maptypes.FlagSrcRHSIsFile != 0 {
		if value, err = src.FileValue(value); err != nil {
			return err
		}
	}
	b.addMatch(net, negate, value)
	return nil
}

// parsePattern parses address, address/length, [address], [address]/length or
// [address/length].
func parsePattern(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, errors.New("no address pattern")
	}
	address, length, masked, err := splitPattern(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	addr, ok := parseAddr(address)
	if !masked {
		if !ok {
			return netip.Prefix{}, fmt.Errorf("bad address pattern: \"%s\"", address)
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	bits, problem := parseLength(address, length)
	if problem == "" && !ok {
		problem = "bad network value"
	}
	if problem != "" {
		return netip.Prefix{}, fmt.Errorf("%s in \"%s/%s\"", problem, address, length)
	}
	net := netip.PrefixFrom(addr, bits)
	if masked := net.Masked(); masked != net {
		return netip.Prefix{}, fmt.Errorf("non-null host address bits in \"%s/%s\", perhaps you should use \"%s/%d\" instead",
			address, length, formatAddr(masked.Addr()), bits)
	}
	return net, nil
}

// splitPattern takes brackets and the length off a pattern.
func splitPattern(text string) (address, length string, masked bool, err error) {
	inside, ok := strings.CutPrefix(text, "[")
	if !ok {
		address, length, masked = strings.Cut(text, "/")
		return address, length, masked, nil
	}
	inside, rest, ok := strings.Cut(inside, "]")
	switch {
	case !ok:
		return "", "", false, fmt.Errorf("missing ']' character after \"[%s\"", inside)
	case rest == "":
		address, length, masked = strings.Cut(inside, "/")
		return address, length, masked, nil
	case rest[0] == '/':
		return inside, rest[1:], true, nil
	default:
		return "", "", false, fmt.Errorf("garbage after \"[%s]\"", inside)
	}
}

// parseLength returns the number of network bits, or what is wrong with it.
func parseLength(address, length string) (bits int, problem string) {
	if length == "" || strings.Trim(length, "0123456789") != "" {
		return 0, "bad mask value"
	}
	limit := 32
	if strings.Contains(address, ":") {
		limit = 128
	}
	bits, err := strconv.Atoi(length)
	if err != nil || bits > limit {
		return 0, "bad mask length"
	}
	return bits, ""
}
