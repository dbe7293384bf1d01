package textfile

import (
	"slices"
	"testing"
)

func TestNextWord(t *testing.T) {
	tests := []struct {
		list string
		want []string
	}{
		{"", nil},
		{" , ", nil},
		{"a, b\tc", []string{"a", "b", "c"}},
		{"{a b}, c", []string{"{a b}", "c"}},
		{"x{a {b c} d}y e", []string{"x{a {b c} d}y", "e"}},
		{"a} b", []string{"a}", "b"}},
		{"{a b", []string{"{a b"}},
	}
	for _, tt := range tests {
		var got []string
		for word, rest, ok := NextWord(tt.list, CommaSpace); ok; word, rest, ok = NextWord(rest, CommaSpace) {
			got = append(got, word)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("words of %q: got %q, want %q", tt.list, got, tt.want)
		}
	}
}

func TestUnbrace(t *testing.T) {
	tests := []struct{ text, inside, err string }{
		{"{}", "", ""},
		{"{ a {b} }", " a {b} ", ""},
		{"a", "", `no '{' at start of text in "a"`},
		{"{a", "a", `missing '}' in "{a"`},
		{"{a}x", "a", `syntax error after '}' in "{a}x"`},
	}
	for _, tt := range tests {
		inside, err := Unbrace(tt.text)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if inside != tt.inside || msg != tt.err {
			t.Errorf("Unbrace(%q) = %q, %q; want %q, %q", tt.text, inside, msg, tt.inside, tt.err)
		}
	}
	if got, _ := UnbraceTrim("{ a \t}"); got != "a" {
		t.Errorf("UnbraceTrim: got %q", got)
	}
}
