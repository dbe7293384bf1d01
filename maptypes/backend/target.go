package backend

import (
	"fmt"
	"net"
	"strings"
)

// Target is one entry of a table's list of servers, as mysql_table(5) and
// pgsql_table(5) write it: "unix:/path", "inet:host:port", "host:port" or
// "host".
type Target struct {
	Text string // as written, for log lines
	Unix bool
	Path string // of a UNIX socket (mysql) or its directory (pgsql)
	Host string
	Port int // 0: not given
}

// ParseTarget parses one entry. A port may be a name of services(5); an IPv6
// address with a port stands in brackets.
func ParseTarget(text string) (Target, error) {
	t := Target{Text: text}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		t.Unix, t.Path = true, path
		return t, nil
	}
	host := strings.TrimPrefix(text, "inet:")
	port := ""
	switch colon := strings.LastIndexByte(host, ':'); {
	case strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]"):
		host = host[1 : len(host)-1]
	case strings.HasPrefix(host, "[") && colon > 0 && host[colon-1] == ']':
		host, port = host[1:colon-1], host[colon+1:]
	case strings.Count(host, ":") == 1:
		host, port = host[:colon], host[colon+1:]
	}
	t.Host = host
	if host == "" {
		return t, fmt.Errorf("no host name in %q", text)
	}
	if port != "" {
		n, err := net.LookupPort("tcp", port)
		if err != nil || n == 0 {
			return t, fmt.Errorf("unknown port %q in %q", port, text)
		}
		t.Port = n
	}
	return t, nil
}
