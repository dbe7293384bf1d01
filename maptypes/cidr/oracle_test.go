package cidr

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// oracle looks an address up as the manual page says: rule after rule. It reads
// lines that are known to be good.
func oracle(lines []string, addr netip.Addr) (string, bool) {
	skip := 0 // open blocks, counted from one whose condition does not hold
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch {
		case fields[0] == "endif":
			skip = max(skip-1, 0)
			continue
		case skip > 0:
			if fields[0] == "if" {
				skip++
			}
			continue
		}
		pattern, result := fields[0], ""
		if pattern == "if" {
			pattern = fields[1]
		} else {
			result = fields[1]
		}
		pattern, negate := strings.CutPrefix(pattern, "!")
		net := netip.MustParsePrefix(pattern)
		holds := net.Addr().Is4() == addr.Is4() && net.Contains(addr) != negate
		switch {
		case result == "" && !holds:
			skip = 1
		case result != "" && holds:
			return result, true
		}
	}
	return "", false
}

func TestFirstMatchInFileOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	found := 0
	for range 300 {
		lines := randomRules(rnd)
		tab := load(t, lines)
		for range 200 {
			addr := randomAddr(rnd)
			want, ok := oracle(lines, addr)
			n, found1 := tab.find(addr)
			if found1 != ok || ok && string(tab.values.get(n)) != want {
				t.Fatalf("%v: found %v, want %q %v, in:\n%s", addr, found1, want, ok, strings.Join(lines, "\n"))
			}
			if ok {
				found++
			}
		}
	}
	if found < 5000 {
		t.Errorf("only %d addresses found: the test has lost its material", found)
	}
}

// load reads rules, none of which may give a warning except about a missing
// endif.
func load(t *testing.T, lines []string) *table {
	t.Helper()
	src := &rulefile.Source{Env: &maptypes.Env{}, Type: typeName, Name: "test"}
	var b builder
	for i, line := range lines {
		if err := b.line(src, i+1, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return b.table()
}

// randomRules returns rules with networks that lie inside each other; some
// blocks are not closed.
func randomRules(rnd *rand.Rand) (lines []string) {
	depth := 0
	for i := range 1 + rnd.IntN(60) {
		net := randomNet(rnd)
		switch n := rnd.IntN(12); {
		case n == 0:
			lines = append(lines, "if "+net)
			depth++
		case n == 1:
			lines = append(lines, "if !"+net)
			depth++
		case n < 5 && depth > 0:
			lines = append(lines, "endif")
			depth--
		case n == 5:
			lines = append(lines, fmt.Sprintf("!%s v%d", net, i))
		default:
			lines = append(lines, fmt.Sprintf("%s v%d", net, i%7))
		}
	}
	return lines
}

func randomAddr(rnd *rand.Rand) netip.Addr {
	few := func() byte { return byte(rnd.IntN(3)) }
	switch rnd.IntN(4) {
	case 0:
		return netip.AddrFrom16([16]byte{0x20, few(), few(), few(), 15: few()})
	case 1:
		return netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: few(), 13: few(), 14: few(), 15: few()})
	default:
		return netip.AddrFrom4([4]byte{few(), few(), few(), few()})
	}
}

func randomNet(rnd *rand.Rand) string {
	addr := randomAddr(rnd)
	net, err := addr.Prefix(rnd.IntN(addr.BitLen() + 1))
	if err != nil {
		panic(err)
	}
	return net.String()
}

// FuzzTable reads arbitrary tables and compares accepted ones with the oracle
// where it understands them.
func FuzzTable(f *testing.F) {
	f.Add("if 10.0.0.0/8\n10.1.0.0/16 x\n!10.2.0.0/16 y\nendif\n0.0.0.0/0 z", "10.1.2.3")
	f.Add("[2001:db8::]/32 six\n::ffff:1.2.3.0/120 mapped\nif !::/0\nendif x", "::ffff:1.2.3.4")
	f.Add("[1.2.3.4\n1.2.3.4/33 x\n!\nif\nendif\n1.2.3.4/08 y\n[::]x z", "1.2.3.4")
	f.Fuzz(func(t *testing.T, text, key string) {
		src := &rulefile.Source{Env: &maptypes.Env{}, Type: typeName, Name: "test"}
		var b builder
		var accepted []string
		understood := true
		for i, line := range strings.Split(text, "\n") {
			if b.line(src, i+1, line) == nil {
				accepted = append(accepted, line)
				understood = understood && plain(line)
			}
		}
		tab := b.table()
		addr, ok := parseKey([]byte(key))
		if std, err := netip.ParseAddr(key); ok != (err == nil && std.Zone() == "") {
			t.Errorf("key %q: an address: %v, netip says %v", key, ok, err)
		}
		if !ok {
			return
		}
		n, got := tab.find(addr)
		if !understood {
			return
		}
		want, found := oracle(accepted, addr)
		if got != found || found && string(tab.values.get(n)) != want {
			t.Errorf("%v: found %v, want %q %v in:\n%s", addr, got, want, found, strings.Join(accepted, "\n"))
		}
	})
}

// plain reports whether the oracle understands an accepted line.
func plain(line string) bool {
	fields := strings.Fields(line)
	if len(fields) == 1 && fields[0] == "endif" {
		return true
	}
	if len(fields) != 2 {
		return false
	}
	pattern := fields[0]
	if pattern == "if" {
		pattern = fields[1]
	}
	_, err := netip.ParsePrefix(strings.TrimPrefix(pattern, "!"))
	return err == nil && strings.HasPrefix(line, fields[0]+" ")
}
