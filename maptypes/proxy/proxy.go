// Package proxy implements proxy:type:name tables: the table type:name as the
// proxymap(8) service has it open. Tables opened for reading are asked for at
// the proxymap service, tables opened for writing at proxywrite.
//
// Parameters (main.cf): queue_directory, proxymap_service_name,
// proxywrite_service_name, ipc_idle, ipc_ttl, ipc_timeout.
package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// Driver is the proxy: type.
var Driver = maptypes.Driver{Type: "proxy", Open: open}

var (
	_ maptypes.Table     = (*table)(nil)
	_ maptypes.Updater   = (*table)(nil)
	_ maptypes.Sequencer = (*table)(nil)
)

// table is one remote table.
type table struct {
	client *protocol.Client
	socket string
	name   string // type:name
	flags  uint32 // that it was opened with
}

// open asks the service for the table's flags. A requestor that forbids
// proxies gets the table itself.
func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if flags&maptypes.FlagNoProxy != 0 {
		return openDirectly(env, name, mode, flags)
	}
	client, socket, err := clientFor(env, mode)
	if err != nil {
		return nil, err
	}
	t := &table{client: client, socket: socket, name: name, flags: uint32(flags)}
	remote, err := client.Open(context.Background(), name, t.flags)
	if err != nil {
		return nil, classify(err)
	}
	return &maptypes.Opened{Table: t, Flags: maptypes.Flags(remote)}, nil
}

func openDirectly(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	h, err := env.Open(name, mode, flags)
	if err != nil {
		return nil, err
	}
	return &maptypes.Opened{Table: h, Flags: h.Flags(), Label: h.Spec()}, nil
}

// Lookup asks the service for a key.
func (t *table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	if r.Trace != nil {
		return t.explain(ctx, r)
	}
	return t.lookup(ctx, r)
}

func (t *table) lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	reply, err := t.client.Lookup(ctx, t.name, t.flags, uint32(r.Flags), r.Key)
	return reply.Value, t.finish(r, reply, err)
}

// Update has the service store r.Value under r.Key.
func (t *table) Update(ctx context.Context, r *maptypes.Request) error {
	reply, err := t.client.Update(ctx, t.name, t.flags, uint32(r.Flags), r.Key, r.Value)
	return t.finish(r, reply, err)
}

// Delete has the service remove r.Key.
func (t *table) Delete(ctx context.Context, r *maptypes.Request) error {
	reply, err := t.client.Delete(ctx, t.name, t.flags, uint32(r.Flags), r.Key)
	return t.finish(r, reply, err)
}

// Sequence asks the service for the first entry, or for the one after that of
// the request before: the service keeps the position.
func (t *table) Sequence(ctx context.Context, r *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	function := protocol.SequenceFirst
	if c.Key != nil {
		function = protocol.SequenceNext
	}
	reply, err := t.client.Sequence(ctx, t.name, t.flags, uint32(r.Flags), function)
	if err := t.finish(r, reply, err); err != nil {
		return nil, nil, err
	}
	c.Key = append([]byte{}, reply.Key...)
	return reply.Key, reply.Value, nil
}

// Close leaves the connection to the other tables that share it.
func (t *table) Close() error { return nil }

// finish takes over the flags of a reply, where the server tells them, and
// classifies the error.
func (t *table) finish(r *maptypes.Request, reply protocol.Reply, err error) error {
	if reply.Flags != 0 {
		r.Flags = maptypes.Flags(reply.Flags)
	}
	return classify(err)
}

// classify turns a client's error into one of the classes. When the service
// has answered, it has logged the reason itself.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, protocol.ErrNoKey):
		return maptypes.ErrNotFound
	case errors.Is(err, protocol.ErrRetry):
		return maptypes.ErrRetry
	case errors.Is(err, protocol.ErrConfig):
		return maptypes.ErrConfig
	case protocol.Retryable(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return maptypes.Retryf("%w", err)
	default: // DENY and BAD do not pass by themselves
		return maptypes.Configf("%w", err)
	}
}

// clients are the connections of this process, by socket: all tables of one
// service share one.
var clients struct {
	sync.Mutex
	bySocket map[string]*protocol.Client
}

// clientFor returns the client of the service for a mode, and its socket.
func clientFor(env *maptypes.Env, mode maptypes.Mode) (client *protocol.Client, socket string, err error) {
	service := param(env, "proxymap_service_name", "proxymap")
	if mode.Writable() {
		service = param(env, "proxywrite_service_name", "proxywrite")
	}
	socket = socketPath(env, service)
	opt := protocol.ClientOptions{
		Service: service,
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		Warn: func(text string) { env.Warnf("%s", text) },
	}
	for name, limit := range map[string]*time.Duration{
		"ipc_idle": &opt.IdleLimit, "ipc_ttl": &opt.TTL, "ipc_timeout": &opt.Timeout,
	} {
		value, ok := env.Param(name)
		if !ok {
			continue
		}
		if *limit, err = maptypes.ParseTime(value, 's'); err != nil {
			return nil, "", maptypes.Configf("%s: %w", name, err)
		}
	}
	clients.Lock()
	defer clients.Unlock()
	if clients.bySocket == nil {
		clients.bySocket = map[string]*protocol.Client{}
	}
	client = clients.bySocket[socket]
	if client == nil {
		client = protocol.NewClient(opt)
		clients.bySocket[socket] = client
	}
	return client, socket, nil
}

// socketPath returns the path of a private service: relative for a program that
// works in the queue directory, perhaps within a chroot jail, else absolute.
func socketPath(env *maptypes.Env, service string) string {
	relative := filepath.Join("private", service)
	if _, err := os.Stat(relative); err == nil {
		return relative
	}
	return filepath.Join(param(env, "queue_directory", "/var/spool/postfix"), relative)
}

// param returns a main.cf parameter, or the default where there is none.
func param(env *maptypes.Env, name, otherwise string) string {
	if value, ok := env.Param(name); ok && value != "" {
		return value
	}
	return otherwise
}
