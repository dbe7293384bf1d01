package maillog

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func setUTF8(t testing.TB, enabled bool) {
	old := utf8Enabled.Load()
	utf8Enabled.Store(enabled)
	t.Cleanup(func() { utf8Enabled.Store(old) })
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, utf8, ascii string }{
		{"plain", "plain", "plain"},
		{"", "", ""},
		{"a\nb\tc\x00d\x7fe", "a?b?c?d?e", "a?b?c?d?e"},
		{"na\xc3\xafve", "na\xc3\xafve", "na??ve"},
		{"na\xc3ve", "na?ve", "na?ve"},
		{"\xe4\xb8\xad\xe5\xe4\xba\x92\xe5", "\xe4\xb8\xad?\xe4\xba\x92?", "????" + "???" + "?"},
		{"\xc0\xaf", "??", "??"},                         // over-long
		{"\xed\xa0\x80", "???", "???"},                   // surrogate
		{"\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7", "????"}, // four bytes
		{"\xef\xbf\xbd", "\xef\xbf\xbd", "???"},          // U+FFFD itself is valid
		{"a\xc2\x85b\xe2\x80\xa8c\xe2\x80\xa9d\xc2\x9be", "a?b?c?d?e", "a??b???c???d??e"},
	} {
		for enabled, want := range map[bool]string{true: test.utf8, false: test.ascii} {
			setUTF8(t, enabled)
			if got := Printable(test.in); got != want {
				t.Errorf("Printable(%q) is %q, want %q (smtputf8_enable %v)", test.in, got, want, enabled)
			}
		}
	}
}

func TestPrintableFollowsSMTPUTF8(t *testing.T) {
	setUTF8(t, true)
	newLogger(t, Options{Program: "postmap", Stderr: true, Params: params("smtputf8_enable", "no")})
	if got := Printable("\xc3\xaf"); got != "??" {
		t.Errorf("%q with smtputf8_enable = no", got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("plain", true)
	f.Add("a\nb\xc3\xaf\xff\xe2\x80\xa8", false)
	f.Fuzz(func(t *testing.T, in string, enabled bool) {
		setUTF8(t, enabled)
		out := Printable(in)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\n\r\x00\x1b\u0085\u2028\u2029") {
			t.Errorf("Printable(%q) is %q", in, out)
		}
		if again := Printable(out); again != out {
			t.Errorf("Printable(%q) is %q the second time", out, again)
		}
		if len(out) > len(in) {
			t.Errorf("Printable(%q) grew to %q", in, out)
		}
	})
}
