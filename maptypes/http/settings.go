package http

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
	"github.com/proxymapd/proxymapd/maptypes/tlscf"
)

// settings are what a table needs to reach its servers.
type settings struct {
	target   target
	hosts    []backend.Target
	headers  []byte // of every request, with the end of the head
	tls      *tlscf.TLS
	limits   backend.Limits
	maxBody  int
	notFound map[int]bool // statuses that mean "not found"
	files    []string     // besides the table's own and those of TLS
}

// defaultMaxBody is the default of body_size_limit.
const defaultMaxBody = 1 << 20

// readSettings reads the parameters that are about servers. With an error it may
// return what was read, of which the names of files count.
func readSettings(cf *tablecf.Settings) (*settings, error) {
	s := &settings{limits: backend.ReadLimits(cf), maxBody: cf.Int("body_size_limit", defaultMaxBody, 1)}
	address, hosts := cf.Required("url", ""), cf.String("hosts", "")
	statuses := cf.String("not_found_status", "404")
	accept := "text/plain, */*"
	if cf.String("field", "") != "" {
		accept = "application/json"
	}
	var err error
	if s.tls, err = tlscf.Read(cf); err != nil {
		return s, err
	}
	login, err := s.readLogin(cf)
	if err == nil {
		err = cf.Err()
	}
	if err == nil {
		s.target, err = parseTarget(address)
	}
	if err == nil && s.tls.Given && !s.target.secure {
		err = maptypes.Configf("tls_ parameters need an https:// url")
	}
	if err == nil {
		err = s.readHosts(hosts)
	}
	if err == nil {
		err = s.readStatuses(statuses)
	}
	s.headers = fmt.Appendf(nil, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: proxymapd\r\nAccept: %s\r\n%s\r\n", s.target.header, accept, login)
	return s, err
}

// readLogin returns the header lines that say who asks, and those of
// header_file.
func (s *settings) readLogin(cf *tablecf.Settings) (lines []byte, err error) {
	user := cf.String("user", "")
	password, _ := cf.SecretIn("password", "password_file")
	token, _ := cf.SecretIn("token", "token_file")
	path := cf.String("header_file", "")
	switch {
	case token != "" && user != "":
		return nil, maptypes.Configf("specify one of user and token")
	case user == "" && password != "":
		return nil, maptypes.Configf("password needs user")
	case token != "" && !httpguts.ValidHeaderFieldValue(token):
		return nil, maptypes.Configf("token has characters that cannot be sent")
	case strings.Contains(user, ":"):
		return nil, maptypes.Configf("user has a colon")
	case token != "":
		lines = append(lines, "Authorization: Bearer "+token+"\r\n"...)
	case user != "":
		lines = append(lines, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password))+"\r\n"...)
	}
	if path == "" {
		return lines, nil
	}
	s.files = append(s.files, path)
	more, err := readHeaders(path)
	return append(lines, more...), err
}

// maxHeaders is the limit, in bytes, of a file of header lines.
const maxHeaders = 32 << 10

// own are header lines that a table cannot have, in canonical form.
var own = map[string]bool{"host": true, "connection": true, "content-length": true, "transfer-encoding": true, "accept-encoding": true, "upgrade": true}

// readHeaders reads a file of "Name: value" lines. Empty lines and those that
// begin with # are left out. No message shows a value.
func readHeaders(path string) (lines []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, maptypes.SystemError(err))
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxHeaders+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, maptypes.SystemError(err))
	}
	if len(content) > maxHeaders {
		return nil, maptypes.Configf("%s: the file has more than %d bytes", path, maxHeaders)
	}
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, maxHeaders+1)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, maptypes.Configf("%s, line %d: this is no header line", path, number)
		case own[strings.ToLower(name)]:
			return nil, maptypes.Configf("%s, line %d: %s cannot be set", path, number, name)
		}
		lines = append(lines, name+": "+value+"\r\n"...)
	}
	return lines, scanner.Err()
}

// readHosts takes in where to connect to: the list, or else what the URL says.
func (s *settings) readHosts(text string) error {
	list := textfile.SplitList(text)
	for _, entry := range list {
		t, err := backend.ParseTarget(entry)
		if err != nil {
			return maptypes.Configf("hosts: %w", err)
		}
		s.hosts = append(s.hosts, t)
	}
	if len(list) == 0 {
		text := net.JoinHostPort(s.target.host, s.target.port)
		s.hosts = []backend.Target{{Text: text, Host: s.target.host}}
	}
	return nil
}

func (s *settings) readStatuses(text string) error {
	s.notFound = map[int]bool{}
	for _, word := range textfile.SplitList(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 201 || n > 499 {
			return maptypes.Configf("bad not_found_status: %s", word)
		}
		s.notFound[n] = true
	}
	return nil
}

// servers returns the servers of the table.
func (s *settings) servers() []backend.Server[*conn] {
	var list []backend.Server[*conn]
	for _, t := range s.hosts {
		network, address := "tcp", net.JoinHostPort(t.Host, s.target.port)
		switch {
		case t.Unix:
			network, address = "unix", t.Path
		case t.Port != 0:
			address = net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
		}
		var config *tls.Config
		if s.target.secure {
			config = s.tls.Config(s.target.host)
		}
		list = append(list, backend.Server[*conn]{
			Key:  strings.Join([]string{network, address, strconv.FormatBool(s.target.secure), s.target.host, s.tls.Digest()}, "\x00"),
			Name: t.Text,
			Unix: t.Unix,
			Dial: func(ctx context.Context) (*conn, error) { return dial(ctx, network, address, config) },
		})
	}
	return list
}

// authentic reports whether strangers cannot answer in the place of the servers.
func (s *settings) authentic() bool {
	if s.target.secure && s.tls.Verify {
		return true
	}
	for _, t := range s.hosts {
		if !t.Unix {
			return false
		}
	}
	return true
}
