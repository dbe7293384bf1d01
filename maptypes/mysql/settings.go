package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"strings"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// defaultPipeline is how many queries a connection has in progress.
const defaultPipeline = 32

// settings are what a table needs to reach its servers.
type settings struct {
	targets                []backend.Target
	user, password, dbname string
	charset                string
	options                *options
	security               *security
	limits                 backend.Limits
	pipeline               int      // limit of queries in progress on one connection
	files                  []string // besides the table's own
}

// charsetName keeps the text of the SET NAMES statement apart from others.
var charsetName = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// readSettings reads the parameters of mysql_table(5) that are about servers.
func readSettings(cf *tablecf.Settings) (*settings, error) {
	s := &settings{limits: backend.ReadLimits(cf)}
	var err error
	if s.options, err = readOptions(cf.String("option_file", ""), cf.String("option_group", "client")); err != nil {
		return nil, err
	}
	if s.security, err = readSecurity(cf, s.options); err != nil {
		return nil, err
	}
	s.files = append(s.options.files, s.security.files...)
	s.pipeline = cf.Int("pipeline", defaultPipeline, 1)
	s.charset = cf.Required("charset", "utf8mb4")
	s.dbname = cf.Required("dbname", "")
	s.readUser(cf)
	if err := cf.Err(); err != nil {
		return nil, err
	}
	if !charsetName.MatchString(s.charset) {
		return nil, maptypes.Configf("bad charset: %s", s.charset)
	}
	hosts := textfile.SplitList(cf.String("hosts", ""))
	if len(hosts) == 0 {
		hosts = []string{"localhost"}
	}
	for _, host := range hosts {
		target, err := backend.ParseTarget(host)
		if err != nil {
			return nil, maptypes.Configf("hosts: %w", err)
		}
		s.targets = append(s.targets, target)
	}
	return s, nil
}

// readUser reads who to log in as. What the table does not say is taken from the
// option file, and the user name at last from the system.
func (s *settings) readUser(cf *tablecf.Settings) {
	s.user = cf.String("user", "")
	if s.user == "" {
		s.user = s.options.get("user")
	}
	if s.user == "" {
		if u, err := user.Current(); err == nil {
			s.user = u.Username
		}
	}
	if s.password, _ = cf.Secret("password"); s.password == "" {
		s.password = s.options.get("password")
	}
}

// servers returns the servers of the table.
func (s *settings) servers() []backend.Server[*conn] {
	var list []backend.Server[*conn]
	for _, target := range s.targets {
		list = append(list, s.server(target))
	}
	return list
}

// server returns one server. "localhost" is the UNIX socket that the option file
// or the system names, as with every MySQL client.
func (s *settings) server(target backend.Target) backend.Server[*conn] {
	network, address, host := "tcp", "", target.Host
	switch {
	case target.Unix:
		network, address, host = "unix", target.Path, "localhost"
	case strings.EqualFold(target.Host, "localhost"):
		if named := s.options.get("host"); named != "" && !strings.EqualFold(named, "localhost") {
			host = named
			address = net.JoinHostPort(host, s.port(target))
			break
		}
		network, address, host = "unix", s.options.get("socket"), "localhost"
	default:
		address = net.JoinHostPort(host, s.port(target))
	}
	config := s.config(network, address, host)
	return backend.Server[*conn]{
		Key:  strings.Join([]string{network, address, host, s.user, s.password, s.dbname, s.charset, s.security.digest, strconv.Itoa(s.pipeline)}, "\x00"),
		Name: target.Text,
		Unix: network == "unix",
		Dial: func(ctx context.Context) (*conn, error) {
			return dial(ctx, s, config)
		},
	}
}

func (s *settings) port(target backend.Target) string {
	if target.Port != 0 {
		return strconv.Itoa(target.Port)
	}
	if port := s.options.get("port"); port != "" {
		return port
	}
	return "3306"
}

// maxPacket is the limit, in bytes, of a statement.
const maxPacket = 16 << 20

// config returns the library's settings for one server.
func (s *settings) config(network, address, host string) *mysqldriver.Config {
	config := mysqldriver.NewConfig()
	config.Net, config.Addr = network, address
	config.User, config.Passwd, config.DBName = s.user, s.password, s.dbname
	config.TLS = s.security.config(host)
	config.MaxAllowedPacket = maxPacket
	config.WriteTimeout = s.limits.LookupTimeout // also of the good-bye
	config.Logger = &mysqldriver.NopLogger{}     // what it says is in the errors
	return config
}

// socketPaths are where servers have their UNIX sockets, in the packages of
// Debian, of Red Hat, and of the project itself.
var socketPaths = []string{"/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"}

// connectorFor looks for the socket of the system's server when none is named.
// It is looked for at each connection, since the server may be started later.
func connectorFor(config *mysqldriver.Config) (driver.Connector, error) {
	if config.Net == "unix" && config.Addr == "" {
		config = config.Clone()
		config.Addr = socketPaths[0]
		for _, path := range socketPaths {
			if _, err := os.Stat(path); err == nil {
				config.Addr = path
				break
			}
		}
	}
	connector, err := mysqldriver.NewConnector(config)
	if err != nil {
		return nil, errors.New("settings: " + err.Error())
	}
	return connector, nil
}
