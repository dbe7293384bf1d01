//go:build mongodb

package mongodb

import (
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Bounds and default of expansion_limit. The manual page of 3.11 says that the
// default is 0; the program says 10.
const (
	defaultLimit = 10
	maxLimit     = 100
)

// settings are the parameters of mongodb_table(5) but query_filter, and what
// bounds the use of servers.
type settings struct {
	uri, dbname, collection string
	projection              bson.D
	expansionLimit          int // 0: none
	limits                  backend.Limits
}

// readSettings reads the parameters of the table called name.
func readSettings(cf *tablecf.Settings, name string) (*settings, error) {
	s := &settings{limits: backend.ReadLimits(cf)}
	s.uri, _ = cf.SecretIn("uri", "uri_file")
	if s.uri == "" {
		cf.Required("uri", "")
	}
	s.dbname, s.collection = cf.Required("dbname", ""), cf.Required("collection", "")
	projection, attributes := cf.String("projection", ""), cf.String("result_attribute", "")
	s.expansionLimit = cf.Int("expansion_limit", defaultLimit, 0)
	if err := cf.Err(); err != nil {
		return nil, err
	}
	if s.expansionLimit > maxLimit {
		return nil, maptypes.Configf("%s: invalid expansion_limit parameter value %d > %d", name, s.expansionLimit, maxLimit)
	}
	if (projection == "") == (attributes == "") {
		return nil, maptypes.Configf("%s:%s: specify exactly one of 'projection' or 'result_attribute'", Type, name)
	}
	if projection == "" {
		for _, attribute := range textfile.SplitList(attributes) {
			s.projection = append(s.projection, bson.E{Key: attribute, Value: int32(1)})
		}
	} else if err := bson.UnmarshalExtJSON([]byte(projection), false, &s.projection); err != nil {
		return nil, maptypes.Configf("%s:%s: failed to create a projection from '%s': %w", Type, name, projection, err)
	}
	s.projection = append(s.projection, bson.E{Key: "_id", Value: int32(0)})
	// The other form of uri needs the DNS, which may be there later.
	if !strings.HasPrefix(s.uri, "mongodb+srv://") {
		if err := s.clientOptions().Validate(); err != nil {
			return nil, maptypes.Configf("%s:%s: failed to parse URI: %s", Type, name, s.harmless(err))
		}
	}
	return s, nil
}

// clientOptions returns what the library has to know. What the uri says counts.
func (s *settings) clientOptions() *options.ClientOptions {
	o := options.Client().SetMaxPoolSize(uint64(s.limits.MaxConnections)).SetMaxConnIdleTime(s.limits.IdleInterval).
		SetConnectTimeout(s.limits.LookupTimeout).SetServerSelectionTimeout(s.limits.LookupTimeout).
		SetHeartbeatInterval(min(10*time.Second, s.limits.RetryInterval))
	return o.ApplyURI(s.uri)
}

// servers returns the servers of the table as the pool sees them: all that the
// uri names are one, of which the library chooses.
func (s *settings) servers() []backend.Server[*session] {
	return []backend.Server[*session]{{Key: s.uri, Name: shown(s.uri), Dial: (&shared{settings: s}).dial}}
}

// shown is what log lines say of a uri: the servers.
func shown(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	rest, _, _ = strings.Cut(rest, "/")
	return rest
}

// harmless returns the text of an error, unless a secret of the uri is in it.
func (s *settings) harmless(err error) string {
	_, rest, _ := strings.Cut(s.uri, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return err.Error()
	}
	_, password, ok := strings.Cut(rest[:at], ":")
	plain, unescapeErr := url.PathUnescape(password)
	if text := err.Error(); !ok || unescapeErr == nil && password != "" && !strings.Contains(text, password) && !strings.Contains(text, plain) {
		return text
	}
	return "the error shows the password"
}
