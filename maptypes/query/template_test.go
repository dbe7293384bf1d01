package query

import (
	"errors"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// brackets quotes so that the test sees what was quoted.
func brackets(dst, value []byte, _ int) []byte {
	return append(append(append(dst, '['), value...), ']')
}

// expand makes a query for a key, or returns "suppressed".
func expand(t *testing.T, template, key string) string {
	t.Helper()
	var r Rules
	q, err := r.AddQuery("t", template)
	if err != nil {
		t.Fatal(err)
	}
	var p Parts
	if !r.Key(&p, []byte(key)) {
		return "suppressed"
	}
	return string(q.Append(nil, &p, &p, brackets))
}

func TestQueries(t *testing.T) {
	for _, test := range []struct{ template, key, want string }{
		{"a = '%s'", "k", "a = '[k]'"},
		{"%%%s%%", "k", "%[k]%"},
		{"%u", "k", "[k]"},
		{"%u", "k@d", "[k]"},
		{"%u", "a@b@d", "[a@b]"},
		{"%u", "@d", "suppressed"},
		{"%s", "@d", "[@d]"},
		{"%d", "k", "suppressed"},
		{"%d", "k@", "suppressed"},
		{"%d", "@d", "[d]"},
		{"%S %U %D", "k@d", "[k@d] [k] [d]"},
		{"%1.%2", "k@b.a", "[a].[b]"},
		{"%1", "k@b..a.", "[a]"},
		{"%3", "k@b.a", "suppressed"},
		{"%1", "k", "suppressed"},
		{"%9", "k@9.8.7.6.5.4.3.2.1", "[9]"},
		{"%u", "k@", "[k]"},
		{"no place", "", "no place"},
	} {
		if got := expand(t, test.template, test.key); got != test.want {
			t.Errorf("%q with %q: %q, want %q", test.template, test.key, got, test.want)
		}
	}
}

func TestResults(t *testing.T) {
	for _, test := range []struct{ format, key, value, want string }{
		{"<%s>", "k", "v", "<v>"},
		{"%u at %d", "k", "v@w", "v at w"},
		{"%d", "k", "v", "left out"},
		{"%u", "k", "@w", "left out"},
		{"%u", "k", "v", "v"},
		{"%s %S %U %D %1", "k@d.e", "v", "v k@d.e k d.e e"},
	} {
		var r Rules
		f, err := r.AddResult("t", test.format)
		if err != nil {
			t.Fatal(err)
		}
		var key, value Parts
		got := "left out"
		if !r.Key(&key, []byte(test.key)) {
			t.Fatalf("%q: the key lacks something", test.format)
		}
		if r.Value(&value, []byte(test.value)) {
			got = string(f.Append(nil, &value, &key, nil))
		}
		if got != test.want {
			t.Errorf("%q with %q: %q, want %q", test.format, test.value, got, test.want)
		}
	}
}

func TestKeyOfResultFormat(t *testing.T) {
	var r Rules
	if _, err := r.AddQuery("t", "%s"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddResult("t", "%s %2"); err != nil {
		t.Fatal(err)
	}
	var p Parts
	if r.Key(&p, []byte("user@example")) {
		t.Error("a key is looked up that the result format has no use for")
	}
}

func TestBadTemplates(t *testing.T) {
	for _, text := range []string{"%", "%0", "%x", "a %", "% s"} {
		var r Rules
		_, err := r.AddQuery("/etc/t.cf", text)
		if want := "db_common_parse: /etc/t.cf: Invalid query template: " + text; err == nil || err.Error() != want || !errors.Is(err, maptypes.ErrConfig) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// FuzzTemplate checks that no template and key take parts from where there are
// none, and that all text of the key in a query has been quoted.
func FuzzTemplate(f *testing.F) {
	for _, seed := range [][2]string{{"SELECT '%s' %% %u %d", "u@d.e"}, {"%9%1", "@a.b"}, {"%U%D%S%3", "a@b..c.d"}, {"%", "@"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, template, key string) {
		var r Rules
		q, err := r.AddQuery("t", template)
		if err != nil {
			return
		}
		var p Parts
		if !r.Key(&p, []byte(key)) {
			return
		}
		places := 0
		got := string(q.Append(nil, &p, &p, func(dst, value []byte, place int) []byte {
			if place != places || !strings.Contains(key, string(value)) {
				t.Errorf("place %d has %q", place, value)
			}
			places++
			return dst
		}))
		if got != strings.Join(q.Literals(), "") || places != len(q.Literals())-1 {
			t.Errorf("%q: text %q, %d places", template, got, places)
		}
	})
}
