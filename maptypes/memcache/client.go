package memcache

import (
	"bufio"
	"context"
	"errors"
	"math"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// servers are those that the open tables of this process use.
var servers backend.Shared[*stream.Conn]

// client sends commands to the server of one table.
type client struct {
	name     string // of the table, for log lines
	hosts    *backend.Hosts[*stream.Conn]
	flags    int
	ttl      int           // seconds, or a time
	maxData  int           // bytes of a value
	maxLine  int           // bytes of a reply line
	maxTry   int           // times that a command is sent
	pause    time.Duration // between them
	deadline time.Duration // for all of them
	warnf    func(format string, args ...any)
}

// newClient reads the parameters of memcache_table(5) that are about the server.
func newClient(env *maptypes.Env, name string, cf *tablecf.Settings) (*client, error) {
	endpoint, err := stream.Parse(cf.String("memcache", "inet:localhost:11211"))
	if err != nil {
		return nil, err
	}
	c := &client{
		name:    name,
		flags:   cf.Int("flags", 0, math.MinInt),
		ttl:     cf.Int("ttl", 3600, math.MinInt),
		maxData: cf.Int("data_size_limit", 10240, 1),
		maxLine: cf.Int("line_size_limit", 1024, 1),
		maxTry:  cf.Int("max_try", 2, 1),
		pause:   cf.Seconds("retry_pause", time.Second, time.Second),
		warnf:   env.Warnf,
	}
	limits := backend.ReadLimits(cf)
	c.deadline = limits.LookupTimeout
	if timeout := cf.Seconds("timeout", 2*time.Second, 0); timeout > 0 {
		limits.LookupTimeout = timeout
	}
	if err := cf.Err(); err != nil {
		return nil, err
	}
	c.hosts = servers.Join(Type+":"+name, []backend.Server[*stream.Conn]{{
		Key:  endpoint.Key(),
		Name: endpoint.String(),
		Unix: endpoint.IsUnix(),
		Dial: endpoint.Dial,
	}}, limits, backend.Log{Name: Type, Infof: env.Infof, Warnf: env.Warnf})
	return c, nil
}

// get returns the value of a key, for which buf has room.
func (c *client) get(ctx context.Context, key, buf []byte) (value []byte, err error) {
	if len(key) > maxKey {
		return nil, maptypes.ErrNotFound // by the server's rules
	}
	found := false
	err = c.command(ctx, appendGet(nil, key), func(r *bufio.Reader) (err error) {
		value, found, err = readValue(r, buf[:0], key, c.maxLine, c.maxData)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, maptypes.ErrNotFound
	}
	return value, nil
}

// set stores a value. One that is too long is not stored, which is
// maptypes.ErrNotFound, as in Postfix, and logged.
func (c *client) set(ctx context.Context, key, value []byte) error {
	return c.store(ctx, "set", key, value)
}

// add stores a value that was found in the backup. It does not replace what an update
// has stored since.
func (c *client) add(ctx context.Context, key, value []byte) error {
	return c.store(ctx, "add", key, value)
}

func (c *client) store(ctx context.Context, command string, key, value []byte) error {
	if len(key) > maxKey {
		return maptypes.Configf("database %s:%s: key of %d bytes is too long for the server -- not stored (see key_digest)", Type, c.name, len(key))
	}
	if len(value) > c.maxData {
		c.warnf("database %s:%s: data for key %s is too long (data_size_limit=%d) -- not stored", Type, c.name, key, c.maxData)
		return maptypes.ErrNotFound
	}
	return c.command(ctx, appendStore(nil, command, key, value, c.flags, c.ttl), func(r *bufio.Reader) error {
		return readStored(r, c.maxLine, command == "add")
	})
}

// remove removes a key.
func (c *client) remove(ctx context.Context, key []byte) error {
	if len(key) > maxKey {
		return maptypes.ErrNotFound
	}
	found := false
	err := c.command(ctx, appendDelete(nil, key), func(r *bufio.Reader) (err error) {
		found, err = readDeleted(r, c.maxLine)
		return err
	})
	if err == nil && !found {
		return maptypes.ErrNotFound
	}
	return err
}

// command sends a command and has read read the reply, again and again until there
// is a reply that makes sense, or time or tries are used up. It is not repeated when
// there is no connection.
func (c *client) command(ctx context.Context, command []byte, read func(*bufio.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel()
	for try := 1; ; try++ {
		connected, err := c.once(ctx, command, read)
		if err == nil || !connected {
			return err
		}
		if err == context.Canceled {
			return maptypes.ErrRetry // there is nobody to tell
		}
		if _, final := err.(longValue); final || try == c.maxTry || !c.rest(ctx) {
			return c.failure(err)
		}
	}
}

// once sends a command once; but a connection that was used before may be gone,
// which is no fault of the server's.
func (c *client) once(ctx context.Context, command []byte, read func(*bufio.Reader) error) (connected bool, err error) {
	err = c.hosts.Do(ctx, func(ctx context.Context, conn *stream.Conn) error {
		used := conn.Used()
		err := conn.Exchange(ctx, command, read)
		stream.Explain(ctx, command, err)
		if used && err == stream.ErrDisconnected {
			return backend.Lost(err)
		}
		connected = true
		return err
	})
	if errors.Is(err, stream.ErrDisconnected) {
		return true, stream.ErrDisconnected
	}
	return connected, err
}

// rest pauses before the next try. It reports false, at once, when no time would be
// left for that.
func (c *client) rest(ctx context.Context) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= c.pause {
		return false
	}
	pause := time.NewTimer(c.pause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// failure is the error of a command that was sent for the last time.
func (c *client) failure(err error) error {
	switch err {
	case stream.ErrDisconnected, stream.ErrTimeout, stream.ErrTooLong:
		return maptypes.Retryf("database %s:%s: I/O error: %w", Type, c.name, err)
	}
	if _, ok := err.(unexpectedReply); ok {
		return maptypes.Retryf("%s: %w", c.name, err)
	}
	return maptypes.Retryf("database %s:%s: %w", Type, c.name, err)
}

func (c *client) close() { c.hosts.Close() }
