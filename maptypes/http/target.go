package http

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
)

// target is the table's URL.
type target struct {
	secure     bool
	host, port string
	header     string // of the Host: line
	path       string // template of path and query
}

// parseTarget takes apart a URL. Parts of the key may stand in the path and the
// query only.
func parseTarget(text string) (target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	t := target{secure: strings.EqualFold(scheme, "https")}
	if !ok || !t.secure && !strings.EqualFold(scheme, "http") {
		return t, maptypes.Configf("bad url: %s: it must begin with http:// or https://", shown(text))
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	t.header, t.path = rest[:end], rest[end:]
	switch {
	case strings.Contains(t.header, "@"):
		return t, maptypes.Configf("bad url: user and password are parameters of their own")
	case strings.Contains(t.header, "%"):
		return t, maptypes.Configf("bad url: %s: the server cannot depend on the key", shown(text))
	case strings.Contains(t.path, "#"):
		return t, maptypes.Configf("bad url: %s: there is no use for a fragment", shown(text))
	}
	if !strings.HasPrefix(t.path, "/") {
		t.path = "/" + t.path
	}
	u, err := url.Parse("http://" + t.header)
	if err != nil || u.Hostname() == "" {
		return t, maptypes.Configf("bad url: %s: bad host name or port", shown(text))
	}
	t.host, t.port = u.Hostname(), u.Port()
	if t.port == "" {
		t.port = "80"
		if t.secure {
			t.port = "443"
		}
	}
	if i := strings.IndexFunc(t.path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) }); i >= 0 {
		return t, maptypes.Configf("bad url: %s: a character has to be written as %%%%XX", shown(text))
	}
	return t, nil
}

// shown is a URL without what may be secret in it.
func shown(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			return scheme + "://" + rest[at+1:]
		}
	}
	return text
}

const hexDigits = "0123456789ABCDEF"

// escape appends a part of a key to a URL: all bytes but the unreserved ones of
// RFC 3986 are percent-encoded.
func escape(dst, part []byte, _ int) []byte {
	for _, c := range part {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return dst
}

// climbs reports whether a path has a segment that servers take for "here" or
// "above" (RFC 3986, 5.2.4): a key must not choose another resource.
func climbs(uri []byte) bool {
	path, _, _ := bytes.Cut(uri, []byte{'?'})
	for segment := range bytes.SplitSeq(path, []byte{'/'}) {
		if s := string(segment); s == "." || s == ".." {
			return true
		}
	}
	return false
}
