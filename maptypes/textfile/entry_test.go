package textfile

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitEntry(t *testing.T) {
	for _, tt := range []struct{ line, key, value, err string }{
		{"a b", "a", "b", ""},
		{"a \t b c \r", "a", "b c", ""},
		{`"a b" c`, `"a b"`, "c", ""},
		{`a"b c"d e`, `a"b c"d`, "e", ""},
		{`a\ b c`, `a\ b`, "c", ""},
		{`"a\"b c" d`, `"a\"b c"`, "d", ""},
		{`a "b`, "a", `"b`, ""},
		{`"a b`, "", "", `unbalanced '"' in '"a b'`},
		{"a", "", "", "expected format: key whitespace value"},
		{"a  ", "", "", "expected format: key whitespace value"},
		{`a\`, "", "", "expected format: key whitespace value"},
		{"", "", "", "expected format: key whitespace value"},
	} {
		key, value, err := SplitEntry(tt.line)
		checkSplit(t, tt.line, []string{key, value, text(err)}, []string{tt.key, tt.value, tt.err})
	}
}

func TestSplitQuotedName(t *testing.T) {
	for _, tt := range []struct{ text, name, value, err string }{
		{"a=b", "a", "b", ""},
		{" a = b c ", "a", "b c", ""},
		{"a=", "a", "", ""},
		{"=b", "", "b", ""},
		{`"a = b"=c`, `"a = b"`, "c", ""},
		{`a\=b=c`, `a\=b`, "c", ""},
		{"a b", "", "", "missing '=' after attribute name"},
		{`"a=b`, "", "", `unbalanced '"'`},
		{"  ", "", "", "no key found; expected format: key = value"},
	} {
		name, value, err := SplitQuotedName(tt.text)
		checkSplit(t, tt.text, []string{name, value, text(err)}, []string{tt.name, tt.value, tt.err})
	}
}

func checkSplit(t *testing.T, input string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%q: got %q, want %q", input, got, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSplitLists(t *testing.T) {
	if got := SplitList(" a,b\t{c d}\r\n"); !slices.Equal(got, []string{"a", "b", "{c", "d}"}) {
		t.Errorf("list: %q", got)
	}
	if got := SplitBraceList(" a,b\t{c d}x, {e\r\n"); !slices.Equal(got, []string{"a", "b", "{c d}x", "{e\r\n"}) {
		t.Errorf("list with braces: %q", got)
	}
}

// FuzzSplitEntry checks that key and value come from the line and that the key
// ends where it must.
func FuzzSplitEntry(f *testing.F) {
	f.Add(`"a b"\ c d`)
	f.Fuzz(func(t *testing.T, line string) {
		key, value, err := SplitEntry(line)
		if err != nil {
			return
		}
		if key == "" || value == "" || TrimSpace(value) != value || !strings.HasPrefix(line, key) || !IsSpace(line[len(key)]) || !strings.HasSuffix(TrimSpace(line), value) {
			t.Errorf("%q: key %q, value %q", line, key, value)
		}
	})
}
