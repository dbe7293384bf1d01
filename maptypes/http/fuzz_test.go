package http

import (
	"bytes"
	"net/url"
	"testing"
)

// FuzzEscape checks that a server gets back the key that was put into a URL, and
// that no key reaches another place in it.
func FuzzEscape(f *testing.F) {
	for _, key := range []string{"", "joe@example.com", "a/../b", "%2e%2e", "..", "a?b#c", "é\xff\x00 ", "\r\nHost: x"} {
		f.Add([]byte(key))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		uri := append(escape([]byte("/x/"), key, 0), "/y?k="...)
		uri = escape(uri, key, 1)
		if bytes.ContainsAny(uri, " \r\n\x00\"") {
			t.Fatalf("%q", uri)
		}
		u, err := url.ParseRequestURI(string(uri))
		if err != nil {
			t.Fatalf("%q: %v", uri, err)
		}
		if want := "/x/" + string(key) + "/y"; u.Path != want {
			t.Errorf("path %q, want %q", u.Path, want)
		}
		if got := u.Query()["k"]; len(got) != 1 || got[0] != string(key) {
			t.Errorf("query %q, want %q", got, key)
		}
		if s := string(key); climbs(uri) != (s == "." || s == "..") {
			t.Errorf("climbs(%q) is %v", uri, climbs(uri))
		}
	})
}

// FuzzField checks that an answer is an error, or values that are in it.
func FuzzField(f *testing.F) {
	f.Add("a.b", []byte(`{"a": {"b": ["x", 1, true, null]}}`))
	f.Add("0.v", []byte(`[{"v": "\u0000\ud800"}]`))
	f.Add("v", []byte(`{"v": 1e999}`))
	f.Fuzz(func(t *testing.T, path string, text []byte) {
		values, err := parseField(path).values(text)
		if err != nil && values != nil {
			t.Errorf("values %q and %v", values, err)
		}
		if len(values) > len(text) {
			t.Errorf("%d values in %d bytes", len(values), len(text))
		}
	})
}
