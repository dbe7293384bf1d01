package prefilter

import (
	"slices"
	"strings"
	"testing"
)

func TestNeed(t *testing.T) {
	for _, tc := range []struct {
		expr string
		want string // sets; "" when nothing is known
	}{
		{`^Rule1-[a-z]+@(.*)\.example$`, "rule1- @ .example"},
		{`abc`, "abc"},
		{`(viagra|cialis) now`, "viagra now|cialis now"},
		{`(first|.*second)x`, "first|second x"},
		{`(first|.*)x`, "x"},
		{`colou?r`, "color|colour"},
		{`abc*d`, "ab d"},
		{`abc+d`, "abc cd"},
		{`ab{0,3}c`, "a c"},
		{`ab{2}c`, "abbc"},
		{`ab{1,}c{0}d`, "ab b d"},
		{`(ab){2,5}?c`, "ab abc"},
		{`[Aa][Bb].[.]`, "ab ."},
		{`[]x]y[^]a]z`, "]y|xy z"},
		{`[a-c]x[a-z]y`, "ax|bx|cx y"},
		{`[[:alpha:]a]x`, "x"},
		{`\Qa.b\E+c\Q(`, "a.b bc("},
		{`\x41\x2eb\.\-\/`, "a.b.-/"},
		{`\ba\Bb\z`, "ab"},
		{`a(?=zzz)b(?!yyy)c(?<=x)d(?<!w)e`, "abcde"},
		{`(?i)a(?-i:B)(?<n>c)(?P<o>d)(?'p'e)(?>f)`, "abcdef"},
		{`(a)x\1y`, "ax y"},
		{`(a)x\g{1}y`, "ax y"},
		{"é1", "1"},
		{`a|`, ""}, {`.*`, ""}, {`[^a]`, ""}, {``, ""}, {`^$`, ""}, {`(a)?`, ""}, {`a*`, ""},
	} {
		checkNeed(t, tc.expr, false, tc.want)
	}
	for expr, want := range map[string]string{
		"a b # c":    "ab",
		"a + b":      "a ab",
		"a #c\nb":    "",
		"a(?-x: b)":  "a b",
		"[ a]b":      " b|ab",
		`a\ \#b`:     "a #b",
		`\Qa b\E`:    "",
		"a + + b":    "",
		"a{2 }b":     "",
		"a #c\x85b*": "",
	} {
		checkNeed(t, expr, true, want)
	}
	checkNeed(t, "a(?x) b (c d | e #", false, "")
	checkNeed(t, "a(?x) b (?:c d | e ) # f", false, "abcd|abe")
	checkNeed(t, "(?:(?x)a b| c d) e", false, "ab e|cd e")
}

func checkNeed(t *testing.T, expr string, extended bool, want string) {
	t.Helper()
	need, ok := Analyze(expr, extended)
	var sets []string
	for _, set := range need.AnyOf {
		sets = append(sets, strings.Join(set, "|"))
	}
	if got := strings.Join(sets, " "); got != want || ok != (want != "") {
		t.Errorf("%q: %q, %v; want %q", expr, got, ok, want)
	}
}

// TestNeedIsNotGuessed has expressions whose letters are not required, or not
// for sure in every version of the library.
func TestNeedIsNotGuessed(t *testing.T) {
	for _, expr := range []string{
		`(*UTF)k`, `a(*ACCEPT)b`, `a(?#c)*`, `a\Q\E*`, `a\Qb\E\E*`, `a{,3}b`, `a{x`, `a{ 1}`, `a**`, `a+*`, `a?{2}`,
		`(a|b(?1))c`, `(?R)a`, `(?(1)a|b)c`, `(?|a|b)c`, `(?&n)a`, `(?P>n)a`, `(?P=n)a`, `(?C1)a`, `(?J)a`, `(?^i)a`, `(?xx)a`,
		`a\12`, `a\0`, `a\o{1}`, `a\x{61}`, `a\x6`, `a\cb`, `a\p{L}`, `a\pL`, `a\N{U+1}`, `a\X`, `a\Cb`, `a\R`, `a\E*`, `a\k<n>`, `a\g1`, `a\ub`, `a\`,
		`[a`, `[[:alpha:]`, `[[.a.]]b`, `[[:<:]]a`, `[\Qa\E]b`, `[\cA]b`, `a)b`, `(ab`, `*a`, strings.Repeat("(", 200) + "a" + strings.Repeat(")", 200),
	} {
		if need, ok := Analyze(expr, false); ok {
			t.Errorf("%q: %q", expr, need.AnyOf)
		}
	}
}

func TestSureLength(t *testing.T) {
	for expr, least := range map[string]int{
		"abc": 100_000, "^a.*b": 900, "a.*b.*c": 90, "(a|b)c+d": 600, "a{2}b": 100_000,
	} {
		need, _ := Analyze(expr, false)
		if most := 11 * least; need.Sure < least || need.Sure > most {
			t.Errorf("%q: sure up to %d bytes, want %d to %d", expr, need.Sure, least, most)
		}
	}
	for _, expr := range []string{"(a+)+b", "(a|a)*b", `(a)\1*b`, "(a*){4}b"} {
		if need, ok := Analyze(expr, false); !ok || need.Sure > 0 {
			t.Errorf("%q: %v, sure up to %d bytes", expr, ok, need.Sure)
		}
	}
}

func TestIndex(t *testing.T) {
	exprs := []string{"viagra", "(cheap|free).*watch", ".*", "a", "xyz", `ab\.example`, `rule10-.*ab\.example`, `rule11-.*ab\.example`, "ratata"}
	var needs []Need
	for _, expr := range exprs {
		need, _ := Analyze(expr, false)
		needs = append(needs, need)
	}
	x := NewIndex(needs)
	found := make([]uint64, x.Words())
	for key, want := range map[string][]int{
		"":                            nil,
		"b":                           nil,
		"A":                           {3},
		"buy VIAGRA":                  {0, 3},
		"iagra viagr viagr":           {3},
		"a free xyzwatch":             {1, 3, 4},
		"xy":                          nil,
		"rule10-q@ab?example":         {3, 6},
		"rule11-rule10-q@ab\x00xampl": {3, 6, 7},
		"raratatatata":                {3, 8},
		"ratat":                       {3},
	} {
		x.Scan([]byte(key), found)
		var got []int
		for i := range exprs {
			if found[i/64]&(1<<(i%64)) != 0 {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("key %q: expressions %v, want %v", key, got, want)
		}
	}
	if NewIndex([]Need{{}, {}}) != nil {
		t.Error("an index of nothing")
	}
}
