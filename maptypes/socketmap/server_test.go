package socketmap_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// netstring returns text as a netstring.
func netstring(text string) string { return fmt.Sprintf("%d:%s,", len(text), text) }

// readRequest reads one request, "name key".
func readRequest(r *bufio.Reader) (name, key string, err error) {
	digits, err := r.ReadString(':')
	if err != nil {
		return "", "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, ":"))
	if err != nil {
		return "", "", err
	}
	text := make([]byte, n+1)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", "", err
	}
	name, key, ok := strings.Cut(string(text[:n]), " ")
	if !ok || text[n] != ',' {
		return "", "", fmt.Errorf("bad request %q", text)
	}
	return name, key, nil
}

// answerWith serves connections with the raw replies that a function returns, until
// the client leaves or the function returns false.
func answerWith(reply func(name, key string) (raw string, more bool)) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			name, key, err := readRequest(r)
			if err != nil {
				return
			}
			raw, more := reply(name, key)
			if _, err := io.WriteString(conn, raw); err != nil || !more {
				return
			}
		}
	}
}

// echo answers "OK name=key".
func echo(name, key string) (raw string, more bool) {
	return netstring("OK " + name + "=" + key), true
}
