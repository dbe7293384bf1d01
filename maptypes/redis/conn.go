package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// silence keeps the library from writing to standard error. What it says there
// is in its errors, too.
var silence = sync.OnceFunc(logging.Disable)

// conn is a way to ask: one connection to a server, or a lookup's share of the
// connections to a cluster. Only one goroutine uses it at a time.
type conn struct {
	client  goredis.UniversalClient
	cut     func()       // ends what the client does now; nil if that cannot be done
	release func() error // instead of client.Close
	dead    bool
}

// Alive reports whether the connection can be used. One that the server has
// closed shows at the next request, which is then sent on a new one.
func (c *conn) Alive() bool { return !c.dead }

// Close ends the connection.
func (c *conn) Close() error { return c.release() }

// newConn returns a connection that uses raw. The library's own pool holds just
// that, and makes no other.
func (s *settings) newConn(raw net.Conn, db int, user, password string) *conn {
	first := make(chan net.Conn, 1)
	first <- &guard{Conn: raw}
	client := goredis.NewClient(&goredis.Options{
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			select {
			case c := <-first:
				return c, nil
			default:
				return nil, io.EOF
			}
		},
		Protocol: 2, Username: user, Password: password, DB: db,
		MaxRetries: -1, DialerRetries: 1,
		PoolSize: 1, MaxActiveConns: 1, PipelinePoolSize: -1,
		ReadTimeout: -2, WriteTimeout: -2, // none: see run
		ReadBufferSize: 4096, WriteBufferSize: 4096,
		ConnMaxIdleTime: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return &conn{
		client: client,
		cut:    func() { raw.Close() },
		release: func() error {
			raw.Close() // the library has not, if it did not get to use it
			return client.Close()
		},
	}
}

// run has f ask, and returns when ctx is done. An error is goredis.Nil, one made
// by backend.Lost, or one about this request alone.
func run[T any](ctx context.Context, c *conn, f func(context.Context, goredis.UniversalClient) (T, error)) (T, error) {
	if c.cut == nil {
		return runAside(ctx, c, f)
	}
	stop := context.AfterFunc(ctx, c.cut)
	result, err := f(ctx, c.client)
	if !stop() {
		c.dead = true
	}
	return result, c.classify(err)
}

// runAside is run for a client that cannot be interrupted. What it does ends
// with the deadline at last.
func runAside[T any](ctx context.Context, c *conn, f func(context.Context, goredis.UniversalClient) (T, error)) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = fmt.Errorf("internal error: %v", p)
			}
			done <- o
		}()
		o.result, o.err = f(ctx, c.client)
	}()
	select {
	case o := <-done:
		if o.err != nil && timeUp(ctx) {
			<-ctx.Done() // the library's timer may be the first
		}
		return o.result, c.classify(o.err)
	case <-ctx.Done():
		var none T
		return none, c.classify(ctx.Err())
	}
}

// timeUp reports whether the deadline has passed, or is passing.
func timeUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 10*time.Millisecond
}

// unfit are the beginnings of the server's errors that are about the server or
// the connection, and not about the request (redis.io: "Redis replication",
// "Cluster specification").
var unfit = []string{"LOADING ", "READONLY ", "MASTERDOWN ", "CLUSTERDOWN ", "NOREPLICAS "}

// classify returns an error of the library as backend.Hosts wants it.
func (c *conn) classify(err error) error {
	var reply goredis.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, goredis.Nil):
		return goredis.Nil
	case errors.Is(err, errReply):
		c.dead = true
		return maptypes.Retryf("%w", errReply)
	case errors.As(err, &reply) && !hasPrefix(reply.Error(), unfit):
		return maptypes.Retryf("%s", reply.Error())
	}
	return backend.Lost(reason(err))
}

func hasPrefix(text string, list []string) bool {
	for _, prefix := range list {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// reason returns err with the text that the C library would have for it.
func reason(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return errGone
	case errors.Is(err, errReply):
		return errReply
	case errors.Is(err, errFull):
		return errFull
	}
	return maptypes.SystemError(err)
}

var errGone = errors.New("the server has closed the connection")

// dialFailed is the error of an attempt to connect. A server that takes no more
// connections is not down.
// Nothing of what the server says is shown when the password is in it.
func (s *settings) dialFailed(err error) error {
	text := err.Error()
	for _, secret := range []string{s.password, s.sentinelPassword} {
		if secret != "" && strings.Contains(text, secret) {
			return errLogin
		}
	}
	if strings.HasPrefix(text, errFull.Error()) {
		return fmt.Errorf("%w: %w", backend.ErrFull, err)
	}
	return reason(err)
}

var errLogin = errors.New("login failed")
