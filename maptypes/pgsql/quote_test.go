package pgsql

import (
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes/query"
)

// TestLexemes checks what the places of queries stand in.
func TestLexemes(t *testing.T) {
	for _, test := range []struct {
		text                string
		standard, backslash []lexeme
	}{
		{text: "SELECT %s, '%s', \"%s\"", standard: []lexeme{bare, plain, ident}},
		{text: `E'%s' e'\'%s' nameE'%s' U&'%s' u&"%s" &'%s'`, standard: []lexeme{escaped, escaped, plain, escaped, unicodeID, plain}},
		{text: `'\' || '%s'`, standard: []lexeme{plain}, backslash: []lexeme{bare}},
		{text: "E'a'\n '%s'", standard: []lexeme{escaped}},
		{text: "E'a' -- it's\n '%s'", standard: []lexeme{escaped}},
		{text: "E'a' '%s'", standard: []lexeme{plain}},
		{text: "E'a',\n '%s'", standard: []lexeme{plain}},
		{text: "'a'\n E'%s'", standard: []lexeme{escaped}},
		{text: "/* ' /* \" */ %s */ '%s'", standard: []lexeme{block, plain}},
		{text: "-- ' %s\n'%s' -- %s", standard: []lexeme{toLineEnd, plain, toLineEnd}},
		{text: "$$ ' %s $$ '%s' $a$ $$ %s $a$ %s", standard: []lexeme{dollar, plain, dollar, bare}},
		{text: "x$a$'%s' $1 '%s' $1$ '%s'", standard: []lexeme{plain, plain, plain}},
		{text: "'it''s %s' 'x''' %s", standard: []lexeme{plain, bare}},
		{text: "5 - '%s' / '%s'", standard: []lexeme{plain, plain}},
		{text: "'%s%u%d'", standard: []lexeme{plain, plain, plain}},
	} {
		var rules query.Rules
		template, err := rules.AddQuery("t", test.text)
		if err != nil {
			t.Fatal(err)
		}
		if test.backslash == nil {
			test.backslash = test.standard
		}
		q := newQuotes(template.Literals())
		if !slices.Equal(q.standard, test.standard) || !slices.Equal(q.backslash, test.backslash) {
			t.Errorf("%s: %v %v, want %v %v", test.text, q.standard, q.backslash, test.standard, test.backslash)
		}
	}
}

// FuzzScan checks that queries of any form have a lexeme for each place, and that
// a key which is all marks is doubled where marks have a meaning.
func FuzzScan(f *testing.F) {
	for _, text := range []string{"SELECT '%s'", "E'\\", "$a$%s$a$", "/* %s", "-- %s\n'%s'", "U&\"%s", "'a'\n'%s'", "$%s$", "%s"} {
		f.Add(text, "k'\\\"")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		var rules query.Rules
		template, err := rules.AddQuery("t", text)
		if err != nil {
			t.Skip()
		}
		q := newQuotes(template.Literals())
		if n := len(template.Literals()) - 1; len(q.standard) != n || len(q.backslash) != n {
			t.Fatalf("%q: %d and %d lexemes for %d places", text, len(q.standard), len(q.backslash), n)
		}
		for _, set := range []encoding{"UTF8", "SJIS", "GB18030"} {
			if !set.valid([]byte(key)) {
				continue
			}
			quoted := string(double(nil, []byte(key), set, '\'', true))
			if set == "UTF8" && quoted != strings.NewReplacer("'", "''", `\`, `\\`).Replace(key) {
				t.Errorf("%q: %q", key, quoted)
			}
			if left := strings.Count(quoted, "'"); left != 2*strings.Count(key, "'") {
				t.Errorf("%s %q: %q", set, key, quoted)
			}
		}
	})
}
