package config

import (
	"errors"
	"strings"
	"testing"
)

// FuzzMain holds that any main.cf either loads or gives an error of one line with a line number, and that what was
// loaded can be written down in one line each and loads again as the same.
func FuzzMain(f *testing.F) {
	f.Add("a = b\nc = ${a?{x}:{y}}\n")
	f.Add("compatibility_level = 3.6\n# c\nmynetworks = 1\n  2\n\n\t3\n")
	f.Add(" x\na=b\x00c\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseText(text)
		if err != nil {
			checkError(t, err)
			return
		}
		var again strings.Builder
		for name, value := range p.Set() {
			again.WriteString(name + "=" + value + "\n")
			if _, err := p.String(name); err != nil {
				checkError(t, err)
			}
		}
		// Names and values are free of newlines; a name that looks like a comment cannot be written.
		q, err := parseText(again.String())
		if err != nil {
			t.Fatalf("%q: %v", again.String(), err)
		}
		for name, value := range p.Set() {
			if got, ok := q.Set()[name]; !ok || got != value {
				t.Errorf("%q: %q became %q, %v", name, value, got, ok)
			}
		}
	})
}

func parseText(text string) (*Params, error) {
	p := New("/etc/postfix", nil)
	p.file = "/etc/postfix/main.cf"
	return p, p.parse(text)
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Error() == "" || strings.ContainsAny(e.Error(), "\r\n") {
		t.Errorf("bad error %#v: %v", err, err)
	}
}

// FuzzMaster holds that the services of any master.cf are complete.
func FuzzMaster(f *testing.F) {
	f.Add("smtp inet n - y - - smtpd -o { a = b }\n[::1]:25 inet n - n 30? 0 smtpd {x}\n")
	f.Add("x unix - - - - - y\nx unix - - - - - z\n\n  -o a=b\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := masterFile{path: "master.cf", params: New("/etc/postfix", nil)}
		if err := m.defaults(); err != nil {
			t.Fatal(err)
		}
		if err := m.parse(text); err != nil {
			checkError(t, err)
		}
		seen := map[string]bool{}
		for _, s := range m.services {
			if s.Name == "" || s.Command == "" || s.MaxProc < 0 || s.Wakeup < 0 || s.Line < 1 || len(s.Columns) != 8+len(s.Args) {
				t.Errorf("bad service %+v", s)
			}
			if s.Type == "inet" && (s.Port == "" || s.Private) {
				t.Errorf("bad inet service %+v", s)
			}
			if key := s.Type + " " + s.Endpoint(); seen[key] {
				t.Errorf("two services %s", key)
			} else {
				seen[key] = true
			}
		}
	})
}

// FuzzExpand holds that every expansion ends, and that text without a dollar sign stays what it is.
func FuzzExpand(f *testing.F) {
	f.Add("$a ${b?{c}:{$d}} ${{$a} <level {3.6} ? {x} : {y}} $$ $(b)", "x$b", "$a")
	f.Add("${domain_to_ascii{$a}}", "b\u00fccher", "${{$a} == {1}}")
	f.Fuzz(func(t *testing.T, text, a, b string) {
		p := New("/etc/postfix", map[string]string{"a": a, "b": b})
		got, err := p.Eval(text)
		if err != nil {
			checkError(t, err)
		}
		if len(got) > maxExpandWork+len(text)+len(a)+len(b) {
			t.Errorf("%d bytes", len(got))
		}
		if !strings.Contains(text, "$") && (got != text || err != nil) {
			t.Errorf("%q became %q, %v", text, got, err)
		}
		quoted := strings.ReplaceAll(text, "$", "$$")
		if got, err := p.Eval(quoted); err != nil || got != text {
			t.Errorf("%q became %q, %v", quoted, got, err)
		}
		x := Expander{Lookup: p.Raw}
		if scanErr := x.Scan(text); scanErr == nil && errors.Is(err, ErrMacro) && a == "" && b == "" {
			// What no branch gets wrong can only fail in a comparison, which a scan does not make.
			if !strings.Contains(text, "{") {
				t.Errorf("%q: only the expansion fails: %v", text, err)
			}
		}
	})
}
