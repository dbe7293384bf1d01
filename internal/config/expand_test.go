package config

import (
	"errors"
	"strings"
	"testing"
)

var expandParams = New("/etc/postfix", map[string]string{
	"compatibility_level": "3.6",
	"a":                   "A", "b": "$a-b", "c": "${b}c", "empty": "", "blank": "$empty", "a_1": "under",
	"n9": "9", "n10": "10", "long": "[$a_1]", "dollar": "$$a", "d": "$dollar",
	"loop": "x${loop}", "tick": "$tock", "tock": "$tick",
	"self": "${{$self} == {x} ? {y} : {z}}",
	"v1":   "$v2$v2", "v2": "$v3$v3", "v3": "$v4$v4", "v4": "$v5$v5", "v5": "$v6$v6", "v6": "$v7$v7", "v7": "$v8$v8",
	"v8": "$v9$v9", "v9": "$va$va", "va": "$vb$vb", "vb": "$vc$vc", "vc": "$vd$vd", "vd": "$ve$ve", "ve": "$vf$vf",
	"vf": "$vg$vg", "vg": "$vh$vh", "vh": "$vi$vi", "vi": "$vj$vj", "vj": "$vk$vk", "vk": "$vl$vl", "vl": "$vm$vm",
	"vm": "$vn$vn", "vn": "x",
})

func TestExpand(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"plain text", "plain text"},
		{"$a ${a} $(a) ${ a }", "A A A A"},
		{"$b $c", "A-b A-bc"},
		{"$a.b $a-b $a_1 ${a}_1", "A.b A-b under A_1"},
		{"[$nosuch][${nosuch}][$empty]", "[][][]"},
		{"$$a $$$a $dollar $d", "$a $A $a $a"},
		{"${a?yes}${a:no} ${empty?yes}${empty:no} ${nosuch:no}", "yes no no"},
		{"[${blank:no}] [${blank?yes}] [$blank]", "[] [yes] []"}, // a value counts as it is written,
		{"${a?{yes}} ${a ? {yes} : {no}} ${empty?{yes}:{no}} ${empty?{yes}:no}", "yes yes no no"},
		{"${a? yes}|${a ?{ x }}|", " yes| x |"},
		{"${a??x:{y}z}", "?x:{y}z"},
		{"$(a?$(b))", "A-b"},
		{"${a?{${empty?{1}:{$b}}}:{3}}", "A-b"},
		{"${{$a} == {A} ? {eq} : {ne}} ${{$a} != {A} ? {ne} : {eq}}", "eq eq"},
		{"${{$a} == {A}} [${{$a} == {B}}]", "true []"},
		{"${{$n9} < {$n10}?{num}:{lex}} ${{x$n9} < {x$n10}?{num}:{lex}}", "num lex"},
		{"${{1} <= {1}}${{1} >= {1}}${{1} < {1}}${{1} > {1}} ${{007} == {7}}", "truetrue true"},
		{"${{} == {}} ${{1} == {} ? {x} : {y}}", "true y"},
		{"${{3.6} <level {3.10}} ${{3} ==level {3.0.0}} ${{$compatibility_level} >=level {2} ? {new} : {old}}", "true true new"},
		{"${{9} < {10} : {no}}|${{9} > {10} : {no}}", "|no"},
		{"${domain_to_ascii{b\u00fccher.example}} ${domain_to_ascii{ $a.b }} ${domain_to_utf8{xn--bcher-kva.example}}",
			"xn--bcher-kva.example A.b b\u00fccher.example"},
	} {
		got, err := expandParams.Eval(tc.text)
		if err != nil || got != tc.want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", tc.text, got, err, tc.want)
		}
	}
}

func TestExpandParsesOnlyWhatItUses(t *testing.T) {
	if got, err := expandParams.Eval("${empty?{${bad bad}}:{ok}}"); err != nil || got != "ok" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestExpandErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"x$", `empty macro name: "x$"`},
		{"$-a", `empty macro name: "$-a"`},
		{"${}", `empty macro name: "${}"`},
		{"x${a", `truncated macro reference: "x${a"`},
		{"$(a}", `truncated macro reference: "$(a}"`},
		{"${a b}", `attribute name syntax error at: "...a>>> b"`},
		{"${a-b?c}", `attribute name syntax error at: "...a>>>-b?c"`},
		{"${a?{x}y}", `":" expected at: "...x}>>>y"`},
		{"${a?{x}:{y}z}", `unexpected input at: "...y}>>>z"`},
		{"${empty:{x}y}", `unexpected input at: "...x}>>>y"`},
		{"$(a?{x)", `unbalanced {} in attribute expression: "{x"`},
		{"${{a} = {a}}", `"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: "...a}>>>= {a}"`},
		{"${{a} == a}", `"{expression}" expected at: "...{a} ==>>> a"`},
		{"${{a} ==num {a}}", `bad operator suffix at: "...==>>>num"`},
		{"${{a} == {a} x}", `"?" or ":" expected at: "...}>>>x"`},
		{"${{1} <level {x}}", `malformed compatibility level syntax: "x"`},
		{"${{1.2000} <level {1}}", `malformed compatibility level syntax: "1.2000"`},
		{"${{99999999999999999999} < {1}}", `mac_exp_eval: bad conversion: 99999999999999999999`},
		{"${nofunc{x}}", `unknown function "nofunc" at"...>>>nofunc{x}"`},
		{"${domain_to_ascii{x}y}", `unexpected input at: "...x}>>>y"`},
		{"$loop", `unreasonable macro call nesting: "x"`},
		{"$tick", `unreasonable macro call nesting: "tock"`},
		{"$self", `unreasonable macro call nesting: `},
		{"$v1", `unreasonable macro call nesting: `}, // 2^22 references
	} {
		got, err := expandParams.Eval(tc.text)
		if !errors.Is(err, ErrMacro) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s\ngot  %q, %v\nwant %s", tc.text, got, err, tc.want)
		}
	}
}

func TestExpandReportsToWarn(t *testing.T) {
	var warnings []string
	x := Expander{
		Lookup: func(string) (string, bool) { return "", false },
		Warn:   func(m string) { warnings = append(warnings, m) },
	}
	if _, err := x.Expand("${{1} <level {x}} $$ $"); err == nil {
		t.Error("no error")
	}
	want := []string{`malformed compatibility level syntax: "x"`, `empty macro name: "${{1} <level {x}} $$ $"`}
	if strings.Join(warnings, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", warnings, want)
	}
}

func TestScan(t *testing.T) {
	var names []string
	x := Expander{Lookup: func(name string) (string, bool) { names = append(names, name); return "$e", true }}
	if err := x.Scan("$a ${b?{$c}:{$d}} ${{$f} == {$g} ? {$h}} ${domain_to_ascii{$i}}"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != "a b c d f g h i" {
		t.Errorf("got %s", got)
	}
}

func TestRawValuesAreNotExpanded(t *testing.T) {
	x := Expander{
		Lookup: func(name string) (string, bool) { return "$" + name + "x", name == "raw" },
		Raw:    func(name string) bool { return name == "raw" },
	}
	if got, err := x.Expand("[$raw] ${raw?{set}}"); err != nil || got != "[$rawx] set" {
		t.Errorf("got %q, %v", got, err)
	}
}
