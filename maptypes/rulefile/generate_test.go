package rulefile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The pieces that generated tables are made of; they put together valid rules
// and such that are wrong in all the ways that have a message.
var (
	commonPieces = []string{"a", "b", "c", "1", "_", "-", ".", " ", "é", "(a)", "(b)", "(a|b)", "(", ")", "(.)", "(.*)", "^", "$",
		"*", "+", "?", "{2}", "{1,2}", "{", "|", "[abc]", "[^a]", "[a-c]", "[", "[[:alpha:]]", "[[:bad:]]", "[c-a]",
		`\.`, `\/`, `\\`, `\w`, `\W`, `\b`, `\1`, `(a)\1`, "ab", "abc", "x"}
	regexpPieces = []string{"{x}", `\<`, `\>`, `\d`, `\(`, `\)`, `\(a\)`, "[[=a=]]", "[[.xx.]]", "**"}
	pcrePieces   = []string{"(?=b)", "(?!b)", "(?:a)", "(?<n>a)", "(?<=a)", "(?i)", "a++", "a+?", `\d`, `\s`, `\Qx`, `\K`, `\x61`, "(?", "(*ACCEPT)", "(?>a*)", "(?1)", `\p{L}`, "(?#c)"}
	results      = []string{"text", "two words", "$1", "<$1>", "${1}", "$(1)", "$1-$2", "${2}", "$3", "$$", "$$5", "a$$b", "", "$0", "$x", "$ x", "${1", "$(1", "${}", "x${1}y$(2)z", "$x ${1}", "${y} $1", "$10", "${a{b}c}"}
	flags        = []string{"", "", "", "", "i", "m", "x", "im", "s", "A", "E", "U", "X", "q", "ii"}
	statements   = []string{"if /a/", "if !/b/", "IF /^a/", "if/c/i", "endif", "ENDIF", "endif x", "if", "if /a", "if /a/ x", "if /(/", "if !", "iffy", "endiffy", "foo bar",
		"# comment", "", " continued", " more $1", "!", "!!/a/ double", "/", "//", "// empty", "|a| bar", "\"a\" quoted", "/a/", "/a/!/b/ both", "/a/!!/b/ both", "/(a)/!/b/ $1", "/a/!/b", "/a/i!/b/x two", "!/a/!/b/ neither", "! /a/ spaced", "!/(a)/ $1", "/\xff/ byte", "/(.)\\1/ twice"}
)

// patternTable returns the text of a regexp or pcre table.
func patternTable(rnd *rand.Rand, own []string) string {
	pieces := append(append([]string{}, commonPieces...), own...)
	var b strings.Builder
	for range 5 + rnd.IntN(40) {
		if rnd.IntN(4) == 0 {
			fmt.Fprintln(&b, pick(rnd, statements))
			continue
		}
		if rnd.IntN(8) == 0 {
			b.WriteByte('!')
		}
		b.WriteByte('/')
		for range 1 + rnd.IntN(4) {
			b.WriteString(pick(rnd, pieces))
		}
		fmt.Fprintf(&b, "/%s %s\n", pick(rnd, flags), pick(rnd, results))
	}
	return b.String()
}

// word returns a key for pattern tables.
func word(rnd *rand.Rand) string {
	var b strings.Builder
	for range 1 + rnd.IntN(6) {
		b.WriteString(pick(rnd, []string{"a", "b", "c", "A", "B", "1", "_", "-", ".", " ", "é", "x", "\xff", "aa", "ab", "("}))
	}
	return b.String()
}

// cidrTable returns the text of a cidr table.
func cidrTable(rnd *rand.Rand) string {
	odd := []string{"endif", "ENDIF", "endif x", "if", "if !", "if x", "if 1.2.3.4/8 y", "# comment", "", "  continued", "10.0.0.1", "300.1.1.1 x", "1.2.3 x", "1.2.3.4/33 x", "1.2.3.4/x y", "1.2.3.4/ y", "10.1.2.3/8 bits",
		"2001:db8::1/32 bits", "::1.2.3.4/100 bits", "::ffff:1.2.3.4/100 bits", "[10.0.0.0/8] in", "[10.0.0.0]/8 in", "[10.0.0.0/8 in", "[10.0.0.0]x in", "[2001:db8::]/32 six", "host.example x", "::ffff:10.0.0.0/104 mapped", "!", "! 10.0.0.0/8 spaced", "!!10.0.0.0/8 double", "01.2.3.4 x", "1.2.3.4/08 x", "fe80::1%eth0 zone", "0.0.0.0/0 all four", "::/0 all six", "1::2::3 x", "12345::/16 x", "1:2:3:4:5:6:7:8 full", "1:2:3:4:5:6:7::/112 seven", ":: zero"}
	var b strings.Builder
	for i := range 5 + rnd.IntN(60) {
		switch rnd.IntN(6) {
		case 0:
			fmt.Fprintln(&b, pick(rnd, odd))
			continue
		case 1:
			b.WriteString(pick(rnd, []string{"if ", "if !", "IF\t"}))
			fmt.Fprintln(&b, network(rnd))
			continue
		case 2:
			if rnd.IntN(2) == 0 {
				b.WriteByte('!')
			} else {
				b.WriteString("endif\n")
			}
		}
		fmt.Fprintf(&b, "%s v%d\n", network(rnd), i)
	}
	return b.String()
}

// network returns a network of a small part of the address space, so that
// networks lie inside each other.
func network(rnd *rand.Rand) string {
	if rnd.IntN(3) == 0 {
		bits := 16 * (1 + rnd.IntN(3))
		return fmt.Sprintf("%s/%d", []string{"2001::", "2001:2::", "2001:2:2::"}[bits/16-1], bits)
	}
	bits := rnd.IntN(33)
	ip := rnd.Uint32N(1<<8)<<24&0x0b000000 | rnd.Uint32()&0x00030303
	ip &= uint32(uint64(0xffffffff) << (32 - bits))
	text := fmt.Sprintf("%d.%d.%d.%d", ip>>24, ip>>16&255, ip>>8&255, ip&255)
	if bits == 32 && rnd.IntN(2) == 0 {
		return text
	}
	return fmt.Sprintf("%s/%d", text, bits)
}

// address returns a key for cidr tables.
func address(rnd *rand.Rand) string {
	switch rnd.IntN(8) {
	case 0:
		return pick(rnd, []string{"2001::1", "2001:2::", "2001:2:2::7", "2001:3::", "::ffff:10.1.2.3", "::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "fe80::1%eth0", "2001:2:2", "2001:2"})
	case 1:
		return pick(rnd, []string{"host.example", "10.1.2", "10", "1.2.3.4.5", "010.1.1.1", "1.2.3.04", "10.1.1.1 ", "10.1.1.1/32", "[::1]", "unknown", "10.1.1.256", "1..2.3", ".1.2.3", "a.b.c.d", ":", "::g", "1.2.3.4:5", "::1.2.3", "::1.2.3.4", "1:::2"})
	default:
		return fmt.Sprintf("%d.%d.%d.%d", rnd.IntN(12), rnd.IntN(4), rnd.IntN(4), rnd.IntN(4))
	}
}

func pick(rnd *rand.Rand, list []string) string { return list[rnd.IntN(len(list))] }
