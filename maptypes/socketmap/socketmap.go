// Package socketmap is the map type socketmap: (socketmap_table(5)): tables
// behind a Sendmail-style socketmap server, "socketmap:inet:host:port:name" or
// "socketmap:unix:path:name".
//
// Connections are shared by all tables of the process that name the same server.
package socketmap

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// Type is the name of the map type.
const Type = "socketmap"

// Driver is the map type socketmap:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// Defaults of the parameters proxymapd_socketmap_* and of
// socketmap_max_reply_size (bytes). The timers are those of socketmap_table(5);
// every client of the service may have a connection of its own, as it would
// without the service.
var defaultLimits = backend.Limits{
	LookupTimeout:  100 * time.Second,
	IdleInterval:   10 * time.Second,
	Lifetime:       100 * time.Second,
	MaxConnections: 100,
}

const defaultMaxReply = 100000

// servers are those that the open tables of this process use.
var servers backend.Shared[*stream.Conn]

// table is one open table.
type table struct {
	spec     string // "socketmap:name", for log lines
	name     string // of the table, as the server knows it
	maxReply int    // bytes
	hosts    *backend.Hosts[*stream.Conn]
}

var _ maptypes.Table = (*table)(nil)

// dialer makes a connection to a server.
type dialer func(context.Context, stream.Endpoint) (*stream.Conn, error)

// open reads the name of a table. The server is not asked yet: one that is down
// shows at the first lookup.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	return openWith(&servers, dial, env, name, mode, flags)
}

func dial(ctx context.Context, e stream.Endpoint) (*stream.Conn, error) { return e.Dial(ctx) }

func openWith(shared *backend.Shared[*stream.Conn], dial dialer, env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s map requires O_RDONLY access mode", Type, name)
	}
	if flags&maptypes.FlagNoUnauth != 0 {
		return nil, maptypes.Configf("%s:%s map is not allowed for security-sensitive data", Type, name)
	}
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return nil, maptypes.Configf("%s requires server:socketmap argument", Type)
	}
	endpoint, err := stream.Parse(name[:colon])
	if err != nil {
		return nil, err
	}
	limits, err := stream.ReadLimits(env, Type, defaultLimits)
	if err != nil {
		return nil, err
	}
	t := &table{spec: Type + ":" + name, name: name[colon+1:]}
	if t.maxReply, err = stream.Int(env, "socketmap_max_reply_size", defaultMaxReply); err != nil {
		return nil, err
	}
	t.hosts = shared.Join(t.spec, []backend.Server[*stream.Conn]{{
		Key:  endpoint.Key(),
		Name: endpoint.String(),
		Unix: endpoint.IsUnix(),
		Dial: func(ctx context.Context) (*stream.Conn, error) { return dial(ctx, endpoint) },
	}}, limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagPattern,
		Fold:  maptypes.FlagFoldMul,
	}, nil
}

// Lookup asks the server. A lost connection is replaced, and the server asked
// again, so that its restarts do not show.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	request := appendNetstring(nil, t.name, r.Key)
	err := t.hosts.Do(ctx, func(ctx context.Context, c *stream.Conn) error {
		var err error
		r.Buf, err = exchange(ctx, c, request, r.Buf, t.maxReply)
		stream.Explain(ctx, request, err)
		if r.Trace != nil && err == nil {
			r.Trace.Step("reply: %s", maptypes.Quote(r.Buf))
		}
		switch {
		case err == stream.ErrDisconnected:
			return backend.Lost(err)
		case err == context.Canceled:
			return maptypes.ErrRetry // there is nobody to tell
		case err != nil:
			return maptypes.Retryf("table %s lookup error: %w", t.spec, err)
		}
		return nil
	})
	if errors.Is(err, stream.ErrDisconnected) {
		return nil, maptypes.Retryf("table %s lookup error: %w", t.spec, stream.ErrDisconnected)
	}
	if err != nil {
		return nil, err
	}
	return t.result(r.Buf)
}

// result takes a reply apart. What follows a NUL in it does not count.
func (t *table) result(reply []byte) ([]byte, error) {
	reply, _, _ = bytes.Cut(reply, []byte{0})
	status, value, _ := bytes.Cut(reply, []byte{' '})
	switch string(status) {
	case "OK":
		return value, nil
	case "NOTFOUND":
		return nil, maptypes.ErrNotFound
	case "TEMP":
		return nil, maptypes.Retryf("%s", t.failure("temporary", value))
	case "TIMEOUT":
		return nil, maptypes.Retryf("%s", t.failure("timeout", value))
	case "PERM":
		return nil, maptypes.Configf("%s", t.failure("permanent", value))
	}
	return nil, maptypes.Retryf("%s", t.failure("unknown", value))
}

// maxReason is the limit, in bytes, of what is logged of a server's words.
const maxReason = 200

// failure is what the log says about a reply other than OK and NOTFOUND.
func (t *table) failure(class string, reason []byte) string {
	text := t.spec + " socketmap server " + class + " error"
	reason = bytes.TrimLeft(reason, " \t\n\v\f\r")
	if len(reason) > 0 {
		text += ": " + string(reason[:min(len(reason), maxReason)])
	}
	return text
}

// Close leaves the connections to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	return nil
}
