package pgsql

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// server is what is needed to reach one server.
type server struct {
	settings string // connection URI, or keywords with values
	encoding string
	name     string // for log lines
}

// login is what a table says about all servers that are not given as URIs.
type login struct{ user, password, dbname string }

// readServers reads the parameters of pgsql_table(5) that are about servers.
func readServers(name string, cf *tablecf.Settings) ([]backend.Server[*conn], error) {
	var l login
	l.user, l.dbname = cf.String("user", ""), cf.String("dbname", "")
	l.password, _ = cf.Secret("password")
	encoding := cf.Required("encoding", "UTF8")
	hosts := textfile.SplitList(cf.String("hosts", ""))
	if err := cf.Err(); err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		hosts = []string{"localhost"}
	}
	var list []backend.Server[*conn]
	for _, host := range hosts {
		s, err := newServer(host, l, encoding)
		if err != nil {
			return nil, maptypes.Configf("%s:%s %w", Type, name, err)
		}
		config, err := s.config()
		if err != nil {
			return nil, maptypes.Configf("%s:%s host target '%s': %w", Type, name, s.name, err)
		}
		if uri.MatchString(host) {
			s.name = fmt.Sprintf("postgresql://%s:%d/%s", config.Host, config.Port, config.Database)
		}
		list = append(list, backend.Server[*conn]{
			Key:  s.settings + "\x00" + s.encoding,
			Name: s.name,
			Unix: strings.HasPrefix(config.Host, "/"),
			Dial: func(ctx context.Context) (*conn, error) { return dial(ctx, s) },
		})
	}
	return list, nil
}

// uri matches what Postfix takes for a connection URI.
var uri = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+-]*://`)

// newServer parses one entry of hosts. A URI stands for itself, and is not shown
// because it may contain a password. Of others only a UNIX socket's directory
// begins with a slash; "unix:" and "inet:" in front mean nothing.
func newServer(host string, l login, encoding string) (*server, error) {
	if uri.MatchString(host) {
		if !strings.HasPrefix(host, "postgres://") && !strings.HasPrefix(host, "postgresql://") {
			return nil, fmt.Errorf("host target '%s' has an unknown URI scheme", uri.FindString(host))
		}
		settings, err := expandEnvironment(host)
		return &server{settings: settings, encoding: encoding, name: "postgresql://..."}, err
	}
	bare := strings.TrimPrefix(strings.TrimPrefix(host, "unix:"), "inet:")
	if l.dbname == "" {
		return nil, fmt.Errorf("host target '%s' requires dbname setting", bare)
	}
	s := &server{encoding: encoding, name: host}
	path, port := bare, 0
	if bare != "" && bare[0] != '/' {
		target, err := backend.ParseTarget(bare)
		if err != nil {
			return nil, fmt.Errorf("hosts: %w", err)
		}
		path, port = target.Host, target.Port
	}
	s.settings = l.settings(path, port)
	return s, nil
}

// environment matches a variable of the environment in a URI.
var environment = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)

// expandEnvironment replaces each ${env:NAME} of a URI.
func expandEnvironment(text string) (expanded string, err error) {
	expanded = environment.ReplaceAllStringFunc(text, func(variable string) string {
		name := environment.FindStringSubmatch(variable)[1]
		value, ok := os.LookupEnv(name)
		if !ok {
			err = fmt.Errorf("hosts: no environment variable %s", name)
		}
		return escapeURI(value)
	})
	return expanded, err
}

// escapeURI escapes a text for any part of a URI.
func escapeURI(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// settings returns the settings for a host. A dbname may consist of settings
// itself, to which the others are added (PQsetdbLogin(3)).
func (l login) settings(host string, port int) string {
	pairs := [][2]string{{"host", host}, {"user", l.user}, {"password", l.password}}
	if port != 0 {
		pairs = append(pairs, [2]string{"port", strconv.Itoa(port)})
	}
	var text strings.Builder
	isURI := strings.HasPrefix(l.dbname, "postgres://") || strings.HasPrefix(l.dbname, "postgresql://")
	switch {
	case isURI, strings.Contains(l.dbname, "="):
		text.WriteString(l.dbname)
	default:
		pairs = append(pairs, [2]string{"dbname", l.dbname})
	}
	for _, pair := range pairs {
		switch {
		case pair[1] == "":
		case isURI && strings.Contains(text.String(), "?"):
			text.WriteString("&" + pair[0] + "=" + escapeURI(pair[1]))
		case isURI:
			text.WriteString("?" + pair[0] + "=" + escapeURI(pair[1]))
		default:
			text.WriteString(" " + pair[0] + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(pair[1]) + "'")
		}
	}
	return text.String()
}

// config returns the library's settings for a server.
func (s *server) config() (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(s.settings)
	if err != nil {
		return nil, withoutSettings(err)
	}
	if err := checkParameters(config); err != nil {
		return nil, err
	}
	config.RuntimeParams["client_encoding"] = s.encoding
	config.MaxProtocolMessageBodyLen = maxMessage
	return config, nil
}

// withoutSettings returns what is wrong with settings without showing them.
func withoutSettings(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	return errors.New(text)
}

// Parameters that libpq has and the library has not (postgresql.org, "Database
// Connection Control Functions"). It would send them to the server.
var (
	forServer   = map[string]bool{"application_name": true, "client_encoding": true, "options": true, "timezone": true}
	dispensable = map[string]bool{
		"fallback_application_name": true, "gssdelegation": true, "gsslib": true, "keepalives": true, "keepalives_count": true,
		"keepalives_idle": true, "keepalives_interval": true, "load_balance_hosts": true, "sslcompression": true, "tcp_user_timeout": true,
	}
	tlsVersions = map[string]uint16{"": 0, "TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
)

// checkParameters takes care of the parameters that are not the library's. What
// makes a connection safer and cannot be had is an error.
func checkParameters(config *pgconn.Config) error {
	for name, value := range config.RuntimeParams {
		switch version, known := tlsVersions[value]; {
		case forServer[name]:
			continue
		case dispensable[name], name == "gssencmode" && value != "require":
		case name == "ssl_min_protocol_version" && known:
			eachTLS(config, func(c *tls.Config) { c.MinVersion = version })
		case name == "ssl_max_protocol_version" && known:
			eachTLS(config, func(c *tls.Config) { c.MaxVersion = version })
		default:
			return fmt.Errorf("the connection parameter %s is not supported", name)
		}
		delete(config.RuntimeParams, name)
	}
	return nil
}

// eachTLS changes the TLS settings of all attempts to connect.
func eachTLS(config *pgconn.Config, change func(*tls.Config)) {
	if config.TLSConfig != nil {
		change(config.TLSConfig)
	}
	for _, other := range config.Fallbacks {
		if other.TLSConfig != nil {
			change(other.TLSConfig)
		}
	}
}
