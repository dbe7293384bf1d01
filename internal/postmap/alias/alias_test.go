package alias

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ line, key, value string }{
		{"postmaster: root", "postmaster", "root"},
		{"a:b,c , d", "a", "b, c, d"},
		{"a: b,", "a", "b, "},
		{"a: user@example.com, first.last@[192.0.2.1]", "a", "user@example.com, first.last@[192.0.2.1]"},
		{"owner-list: postmaster", "owner-list", "postmaster"},
		{"list: :include:/etc/mail/list", "list", ":include:/etc/mail/list"},
		{`list: ":include:/etc/my list"`, "list", `":include:/etc/my list"`},
		{`prog: "|/bin/prog -x 'a b'"`, "prog", `"|/bin/prog -x 'a b'"`},
		{"prog: |/bin/prog", "prog", "|/bin/prog"},
		{"file: /var/mail/file", "file", "/var/mail/file"},
		{`"Two Words": x`, "Two Words", "x"},
		{`"a@b:c,d%": x`, "a@b:c,d%", "x"},
		{`a\ b\@c: d\ e`, "a b@c", `"d e"`},
		{`"a\"b\\c": "a\"b\\c"`, `a"b\c`, `"a\"b\\c"`},
		{`"": ""`, "", `""`},
		{"two words: x  y", "two words", "x y"},
		{"a.b: c . d", "a.b", "c.d"},
		{"(one (two) \\) three) a: b(c)", `(one (two) \) three) a`, "b (c)"},
		{"a: Name <b@c>", "a", "Name <b@c>"},
		{"a: [x\\]y]", "a", "[x]y]"},
		{"[x]: y", "[x]", "y"},
		{"a: \"tab\there\"", "a", `"tab here"`},
		{"a: b\x01c", "a", "\"b\x01c\""},
		{"jos\xc3\xa9: \xe9", "jos\xc3\xa9", "\xe9"},
		{`a: "unclosed, b`, "a", `"unclosed, b"`},
		{`a: (unclosed, b\`, "a", `(unclosed, b\`},
		{"a: [unclosed", "a", "[unclosed]"},
		{`a: b\`, "a", "b"},
		{`a: \`, "a", ""},
		{"a: b\r", "a", "b"},
		{"a:: b", "a", ":b"},
		{"a;b!c: d", "a;b!c", "d"},
	} {
		key, value, ok, err := Parse(test.line)
		if key != test.key || value != test.value || !ok || err != nil {
			t.Errorf("%q: %q, %q, %v, %v, want %q, %q", test.line, key, value, ok, err, test.key, test.value)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]error{
		"":                nil,
		" \t\r\n":         nil,
		"name":            ErrNoPair,
		"name value":      ErrNoPair,
		"name:":           ErrNoPair,
		"name: ":          ErrNoPair,
		": value":         ErrNoPair,
		":":               ErrNoPair,
		"a, b: c":         ErrNoPair,
		"a@b, c: d":       ErrNoPair,
		`"a: b`:           ErrNoPair,
		"(a: b":           ErrNoPair,
		`a\: b`:           ErrNoPair,
		"a@b: c":          ErrNotLocal,
		`"a"@b: c`:        ErrNotLocal,
		"a%b: c":          ErrNotLocal,
		"a@b c@d: e, f@g": ErrNotLocal,
	} {
		if key, value, ok, err := Parse(line); key != "" || value != "" || ok || !errors.Is(err, want) {
			t.Errorf("%q: %q, %q, %v, %v, want the error %v", line, key, value, ok, err, want)
		}
	}
}

// FuzzParse: what a table holds reads as what it says. (A backslash may lose what
// it says, in Postfix, too.)
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"a: b", `"a b" c: "|cmd x", :include:/f, (c (d)) e@[f] <g>;h!i.j`, "a: (b", "a: [b", `a: "b`, "a: \x01\xff,", "a:(b)c<>[d]\"e\"",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, value, ok, err := Parse(line)
		if ok && err != nil {
			t.Fatalf("%q: ok, and %v", line, err)
		}
		if !ok || strings.ContainsAny(line, "\\\x00") {
			return
		}
		if _, again, ok, err := Parse("a: " + value); again != value || !ok || err != nil {
			t.Errorf("%q has the value %q, which reads as %q, %v, %v", line, value, again, ok, err)
		}
	})
}
