package ldap

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	client "github.com/go-ldap/ldap/v3"
)

// The schemes of URLs.
const (
	schemePlain = "ldap"
	schemeTLS   = "ldaps"
	schemeUnix  = "ldapi"
)

const (
	defaultPort    = 389
	defaultTLSPort = 636
)

// defaultSocket is the UNIX socket of slapd(8).
const defaultSocket = "/var/run/slapd/ldapi"

// ldapURL is an LDAP URL (RFC 4516): the name of a server, or of a search, or
// both.
type ldapURL struct {
	text   string // as written
	scheme string
	host   string // or the path of a UNIX socket; empty when not given
	port   string // empty when not given

	base       string
	attributes []string // empty: all
	scope      int      // of the protocol; -1 when not given
	filter     string   // empty when not given
}

// stripURL removes what RFC 3986, appendix C allows around a URL.
func stripURL(text string) string {
	if inner, ok := strings.CutPrefix(text, "<"); ok {
		text = strings.TrimSuffix(inner, ">")
	}
	if len(text) > 4 && strings.EqualFold(text[:4], "URL:") {
		text = text[4:]
	}
	return text
}

// isURL reports whether a text has the form of an LDAP URL, and is not a DN or
// the name of a host.
func isURL(text string) bool {
	scheme, _, ok := strings.Cut(stripURL(text), "://")
	return ok && known(strings.ToLower(scheme))
}

func known(scheme string) bool {
	return scheme == schemePlain || scheme == schemeTLS || scheme == schemeUnix
}

// parseURL parses an LDAP URL.
func parseURL(text string) (ldapURL, error) {
	u := ldapURL{text: text, scope: -1}
	scheme, rest, ok := strings.Cut(stripURL(text), "://")
	if u.scheme = strings.ToLower(scheme); !ok || !known(u.scheme) {
		return u, errors.New("unknown scheme")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if err := u.parseHost(rest[:end]); err != nil {
		return u, err
	}
	return u, u.parseSearch(strings.TrimPrefix(rest[end:], "/"))
}

// parseHost parses "host", "host:port", "[address]:port", or the path of a
// socket with its slashes encoded.
func (u *ldapURL) parseHost(text string) (err error) {
	if u.scheme == schemeUnix {
		u.host, err = url.PathUnescape(strings.TrimSuffix(text, ":0"))
		return err
	}
	host := text
	colon := strings.LastIndexByte(text, ':')
	switch {
	case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
		host = text[1 : len(text)-1]
	case strings.HasPrefix(text, "[") && colon > 0 && text[colon-1] == ']':
		host, u.port = text[1:colon-1], text[colon+1:]
	case strings.ContainsAny(text, "[]"):
		return errors.New("bad address in brackets")
	case strings.Count(text, ":") == 1:
		host, u.port = text[:colon], text[colon+1:]
	}
	if u.port != "" {
		if n, err := strconv.Atoi(u.port); err != nil || n < 1 || n > 65535 {
			return errors.New("bad port")
		}
	}
	u.host, err = url.PathUnescape(host)
	return err
}

// scopes are the names of scopes in URLs. The longer ones are OpenLDAP's.
var scopes = map[string]int{
	"base": client.ScopeBaseObject,
	"one":  client.ScopeSingleLevel, "onelevel": client.ScopeSingleLevel,
	"sub": client.ScopeWholeSubtree, "subtree": client.ScopeWholeSubtree,
	"subord": client.ScopeChildren, "subordinate": client.ScopeChildren, "children": client.ScopeChildren,
}

// parseSearch parses "dn?attributes?scope?filter?extensions". No extension is
// known here, and they are ignored.
func (u *ldapURL) parseSearch(text string) error {
	parts := strings.SplitN(text, "?", 5)
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			u.base = decoded
		case 1:
			u.attributes = strings.FieldsFunc(decoded, func(r rune) bool { return r == ',' })
		case 2:
			if decoded == "" {
				continue
			}
			scope, ok := scopes[strings.ToLower(decoded)]
			if !ok {
				return errors.New("unknown scope")
			}
			u.scope = scope
		case 3:
			u.filter = decoded
		}
	}
	return nil
}

// dialAddress returns where the server is.
func (u ldapURL) dialAddress() (network, address string) {
	if u.scheme == schemeUnix {
		if u.host == "" {
			return "unix", defaultSocket
		}
		return "unix", u.host
	}
	port := u.port
	switch {
	case port != "":
	case u.scheme == schemeTLS:
		port = strconv.Itoa(defaultTLSPort)
	default:
		port = strconv.Itoa(defaultPort)
	}
	return "tcp", net.JoinHostPort(u.serverName(), port)
}

// serverName is the name that the server's certificate must have.
func (u ldapURL) serverName() string {
	if u.host == "" || u.scheme == schemeUnix {
		return "localhost"
	}
	return u.host
}
