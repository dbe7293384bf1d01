package stream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"inet:example.com:25":     "tcp:example.com:25",
		"inet:[example.com]:smtp": "tcp:example.com:smtp",
		"inet:[::1]:25":           "tcp:[::1]:25",
		"inet:[ipv6:::1]:25":      "tcp:[::1]:25",
		"inet:::1:25":             "tcp:[::1]:25",
		"inet::25":                "tcp:localhost:25",
		"inet:25":                 "tcp:localhost:25",
		"unix:/run/s":             "unix:/run/s",
		"local:run/s":             "unix:run/s",
	} {
		e, err := Parse(text)
		if err != nil || e.Key() != want || e.IsUnix() != strings.HasPrefix(want, "unix") || e.String() != text[strings.IndexByte(text, ':')+1:] {
			t.Errorf("%s: %s %q %v, want %s", text, e.Key(), e, err, want)
		}
	}
	for text, want := range map[string]string{
		"x":                                      "need service transport:endpoint instead of \"x\"",
		"tcp:a:1":                                "invalid transport name: tcp in service: tcp:a:1",
		"inet:a:":                                "a:: missing service information",
		"inet:[a":                                "[a: missing \"]\"",
		"inet:[]:1":                              "[]:1: valid hostname or network address required",
		"inet:a b:1":                             "a b:1: valid hostname or network address required",
		"inet:1:2:1":                             "1:2:1: valid hostname or network address required",
		"inet:[ipv6:a]":                          "[ipv6:a]: malformed IPv6 address",
		"inet:a:1b":                              "a:1b: garbage after numerical service",
		"unix:" + strings.Repeat("x", maxPath+1): "unix-domain name too long: " + strings.Repeat("x", maxPath+1),
	} {
		if _, err := Parse(text); !errors.Is(err, maptypes.ErrConfig) || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse("unix:" + strings.Repeat("x", maxPath)); err != nil {
		t.Errorf("longest path: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	for text, want := range map[string]string{
		"unix:/no/such/socket":            "No such file or directory",
		"inet:127.0.0.1:no-such-service":  "host or service 127.0.0.1:no-such-service not found: ",
		"inet:127.0.0.1:99999":            "host or service 127.0.0.1:99999 not found: ",
		"inet:no-such-host.invalid:25":    "host or service no-such-host.invalid:25 not found: ",
		"unix:" + t.TempDir()[:1] + "tmp": "Connection refused", // no socket
	} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = e.Dial(context.Background()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestReadLine(t *testing.T) {
	for _, c := range []struct {
		input string
		limit int
		want  string
		err   error
	}{
		{"abc\ndef\n", 10, "abc", nil},
		{"\n", 1, "", nil},
		{"abc\n", 4, "abc", nil},
		{"abc\n", 3, "", ErrTooLong},
		{strings.Repeat("x", 99) + "\n", 100, strings.Repeat("x", 99), nil},
		{strings.Repeat("x", 100) + "\n", 100, "", ErrTooLong},
		{strings.Repeat("x", 1000), 100, "", ErrTooLong},
		{"abc", 10, "", io.EOF},
		{"", 10, "", io.EOF},
	} {
		got, err := ReadLine(bufio.NewReaderSize(strings.NewReader(c.input), 16), []byte("> "), c.limit)
		if err != c.err || err == nil && string(got) != "> "+c.want {
			t.Errorf("%.20q of %d bytes, limit %d: %q %v", c.input, len(c.input), c.limit, got, err)
		}
	}
}
