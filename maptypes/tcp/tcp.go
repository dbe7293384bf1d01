// Package tcp is the map type tcp: (tcp_table(5)): tables behind a server that
// answers lines, "tcp:host:port".
//
// Connections are shared by all tables of the process that name the same server.
package tcp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// Type is the name of the map type.
const Type = "tcp"

// Driver is the map type tcp:.
var Driver = maptypes.Driver{Type: Type, Open: open}

// Defaults of the parameters proxymapd_tcp_*. The time limit is that of
// tcp_table(5). Postfix keeps idle connections; a server may not.
var defaultLimits = backend.Limits{
	LookupTimeout:  100 * time.Second,
	IdleInterval:   100 * time.Second,
	Lifetime:       1000 * time.Second,
	MaxConnections: 100,
}

// servers are those that the open tables of this process use.
var servers backend.Shared[*stream.Conn]

// table is one open table.
type table struct {
	name    string // host:port, for log lines
	timeout time.Duration
	hosts   *backend.Hosts[*stream.Conn]
	outage  outage
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
	if flags&maptypes.FlagNoUnauth != 0 {
		return nil, maptypes.Configf("%s:%s map is not allowed for security sensitive data", Type, name)
	}
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("%s:%s map requires O_RDONLY access mode", Type, name)
	}
	endpoint, err := stream.ParseInet(name)
	if err != nil {
		return nil, err
	}
	limits, err := stream.ReadLimits(env, Type, defaultLimits)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, timeout: limits.LookupTimeout}
	t.hosts = shared.Join(Type+":"+name, []backend.Server[*stream.Conn]{{
		Key:  endpoint.Key(),
		Name: endpoint.String(),
		Dial: func(ctx context.Context) (*stream.Conn, error) { return dial(ctx, endpoint) },
	}}, limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagPattern,
		Fold:  maptypes.FlagFoldMul,
	}, nil
}

// maxTries is how often one lookup asks a server that is gone.
const maxTries = 10

// Lookup asks the server. One that is gone is asked again for a while, so that
// its restarts do not show.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	request := appendRequest(nil, r.Key)
	for try := 1; ; try++ {
		value, answered, err := t.ask(ctx, request, r)
		if answered {
			t.outage.end()
			return value, err
		}
		if try == maxTries || !t.outage.wait(ctx) {
			return nil, err
		}
	}
}

// ask sends a request once. It reports whether there was a server; if not, err is
// what to say at last.
func (t *table) ask(ctx context.Context, request []byte, r *maptypes.Request) (value []byte, answered bool, err error) {
	found := false
	err = t.hosts.Do(ctx, func(ctx context.Context, c *stream.Conn) error {
		err := c.Exchange(ctx, request, func(lines *bufio.Reader) error {
			line, err := stream.ReadLine(lines, r.Buf[:0], maxReply)
			r.Buf = line
			if err != nil {
				return err
			}
			if r.Trace != nil {
				r.Trace.Step("reply: %s", maptypes.Quote(line))
			}
			value, found, err = parseReply(line)
			return err
		})
		stream.Explain(ctx, request, err)
		switch err {
		case stream.ErrDisconnected:
			return backend.Lost(err)
		case stream.ErrTooLong:
			err = fmt.Errorf("text longer than %d", maxReply)
		}
		answered = true
		return err
	})
	switch {
	case answered && err == context.Canceled:
		return nil, true, maptypes.ErrRetry // there is nobody to tell
	case answered && err != nil:
		return nil, true, t.failure(err)
	case answered && !found:
		return nil, true, maptypes.ErrNotFound
	case errors.Is(err, stream.ErrDisconnected):
		return nil, false, t.failure(errors.New("unexpected EOF"))
	}
	return value, answered, err
}

// failure says what is wrong with the server's reply.
func (t *table) failure(err error) error {
	return maptypes.Retryf("read TCP map reply from %s: %w", t.name, err)
}

// Close leaves the connections to the other tables.
func (t *table) Close() error {
	t.hosts.Close()
	return nil
}
