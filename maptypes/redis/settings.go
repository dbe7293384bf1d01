package redis

import (
	"net"
	"strconv"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
	"github.com/proxymapd/proxymapd/maptypes/tlscf"
)

// The values of the parameter mode.
const (
	modeSingle   = "single"
	modeSentinel = "sentinel"
	modeCluster  = "cluster"
)

// settings are what a table needs to reach its servers.
type settings struct {
	mode                           string
	addresses                      []address
	user, password                 string
	db                             int
	master                         string // as the sentinels call it
	sentinelUser, sentinelPassword string
	tlsOn                          bool
	tls                            *tlscf.TLS
	limits                         backend.Limits
}

// readSettings reads the parameters that are about servers. With an error it may
// return what was read, of which the names of files count.
func readSettings(cf *tablecf.Settings) (*settings, error) {
	s := &settings{limits: backend.ReadLimits(cf)}
	s.mode = cf.String("mode", modeSingle)
	s.user = cf.String("user", "")
	s.password, _ = cf.Secret("password")
	s.master = cf.String("sentinel_master", "")
	s.sentinelUser = cf.String("sentinel_user", "")
	s.sentinelPassword, _ = cf.SecretIn("sentinel_password", "sentinel_password_file")
	s.db = cf.Int("db", 0, 0)
	s.tlsOn = cf.Bool("tls", false)
	hosts := cf.String("hosts", "")
	var err error
	if s.tls, err = tlscf.Read(cf); err == nil {
		err = cf.Err()
	}
	if err == nil {
		err = s.check()
	}
	if err == nil {
		err = s.readHosts(hosts)
	}
	return s, err
}

// check refuses what cannot be had.
func (s *settings) check() error {
	switch {
	case s.mode != modeSingle && s.mode != modeSentinel && s.mode != modeCluster:
		return maptypes.Configf("bad mode: %s (specify single, sentinel or cluster)", s.mode)
	case s.mode == modeSentinel && s.master == "":
		return maptypes.Configf("mode = sentinel needs sentinel_master")
	case s.mode == modeCluster && s.db != 0:
		return maptypes.Configf("a cluster has no database but 0: db = %d", s.db)
	case s.user != "" && s.password == "":
		return maptypes.Configf("user needs password or password_file")
	case s.tls.Given && !s.tlsOn:
		return maptypes.Configf("tls_ parameters need tls = yes")
	}
	return nil
}

// readHosts takes in the list of servers, of sentinels, or of some nodes of a
// cluster.
func (s *settings) readHosts(text string) error {
	port := 6379
	if s.mode == modeSentinel {
		port = 26379
	}
	list := textfile.SplitList(text)
	if len(list) == 0 {
		list = []string{"localhost"}
	}
	for _, entry := range list {
		t, err := backend.ParseTarget(entry)
		if err != nil {
			return maptypes.Configf("hosts: %w", err)
		}
		if t.Unix {
			if s.mode == modeCluster {
				return maptypes.Configf("hosts: a cluster has no UNIX sockets: %s", entry)
			}
			s.addresses = append(s.addresses, address{network: "unix", where: t.Path, host: "localhost", text: entry})
			continue
		}
		if t.Port == 0 {
			t.Port = port
		}
		where := net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
		s.addresses = append(s.addresses, address{network: "tcp", where: where, host: t.Host, text: entry})
	}
	return nil
}

// authentic reports whether strangers cannot answer in the place of the servers,
// or at least cannot ask: mail programs that run with the rights of users refuse
// other tables.
func (s *settings) authentic() bool {
	if s.password != "" || s.tlsOn && s.tls.Verify {
		return true
	}
	for _, a := range s.addresses {
		if a.network != "unix" {
			return false
		}
	}
	return s.mode == modeSingle
}

// key tells connections apart that must not be shared.
func (s *settings) key(where string) string {
	return strings.Join([]string{
		s.mode, where, s.user, s.password, strconv.Itoa(s.db), s.master, s.sentinelUser, s.sentinelPassword,
		strconv.FormatBool(s.tlsOn), s.tls.Digest(),
	}, "\x00")
}
