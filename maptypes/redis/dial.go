package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// address is where a server listens.
type address struct {
	network, where string // as net.Dial has it
	host           string // for the certificate
	text           string // for log lines
}

// dialNet makes a connection, with TLS if the table asks for it.
func (s *settings) dialNet(ctx context.Context, a address) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, a.network, a.where)
	if err != nil || !s.tlsOn || a.network == "unix" {
		return raw, err
	}
	secure := tls.Client(raw, s.tls.Config(a.host))
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// dialServer makes a connection that is ready for requests.
func (s *settings) dialServer(ctx context.Context, a address) (*conn, error) {
	raw, err := s.dialNet(ctx, a)
	if err != nil {
		return nil, s.dialFailed(err)
	}
	c := s.newConn(raw, s.db, s.user, s.password)
	if err := s.greet(ctx, c); err != nil {
		c.Close()
		return nil, s.dialFailed(err)
	}
	return c, nil
}

// greet logs in, and asks whether the server is ready.
func (s *settings) greet(ctx context.Context, c *conn) error {
	_, err := run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) (string, error) {
		return client.Ping(ctx).Result()
	})
	return err
}

// dialMaster asks the sentinels, in random order, for the address of the master,
// and makes a connection to it.
func (s *settings) dialMaster(ctx context.Context) (*conn, error) {
	var failed error
	for i, at := range rand.Perm(len(s.addresses)) {
		limited, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok && i+1 < len(s.addresses) {
			limited, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		}
		master, err := s.askSentinel(limited, s.addresses[at])
		cancel()
		if err == nil {
			return s.dialNamed(ctx, master)
		}
		failed = fmt.Errorf("sentinel %s: %w", s.addresses[at].text, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// askSentinel returns the address of the master.
func (s *settings) askSentinel(ctx context.Context, sentinel address) (address, error) {
	raw, err := s.dialNet(ctx, sentinel)
	if err != nil {
		return address{}, reason(err)
	}
	c := s.newConn(raw, 0, s.sentinelUser, s.sentinelPassword)
	defer c.Close()
	reply, err := run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) ([]string, error) {
		cmd := goredis.NewStringSliceCmd(ctx, "SENTINEL", "get-master-addr-by-name", s.master)
		_ = client.Process(ctx, cmd) // the error is in cmd
		return cmd.Result()
	})
	switch {
	case err == goredis.Nil:
		return address{}, fmt.Errorf("no master %s is known", s.master)
	case err != nil:
		return address{}, s.dialFailed(err)
	case len(reply) != 2:
		return address{}, errReply
	}
	where := net.JoinHostPort(reply[0], reply[1])
	return address{network: "tcp", where: where, host: reply[0], text: where}, nil
}

// dialNamed makes a connection to the server that a sentinel has named, if that
// thinks itself the master, too. For a while after a failure it may not.
func (s *settings) dialNamed(ctx context.Context, master address) (*conn, error) {
	c, err := s.dialServer(ctx, master)
	if err != nil {
		return nil, fmt.Errorf("master %s: %w", master.text, err)
	}
	role, err := run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) ([]any, error) {
		return client.Do(ctx, "ROLE").Slice()
	})
	if err == nil && (len(role) == 0 || role[0] != "master") {
		err = errors.New("the server is not the master")
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("master %s: %w", master.text, reason(err))
	}
	return c, nil
}

// servers returns the servers of the table as the pool sees them: a cluster, or a
// group with sentinels, is one.
func (s *settings) servers() []backend.Server[*conn] {
	if s.mode == modeSingle {
		var list []backend.Server[*conn]
		for _, a := range s.addresses {
			list = append(list, backend.Server[*conn]{
				Key: s.key(a.where), Name: a.text, Unix: a.network == "unix",
				Dial: func(ctx context.Context) (*conn, error) { return s.dialServer(ctx, a) },
			})
		}
		return list
	}
	var texts []string
	for _, a := range s.addresses {
		texts = append(texts, a.text)
	}
	group := strings.Join(texts, ",")
	if s.mode == modeSentinel {
		return []backend.Server[*conn]{{Key: s.key(group), Name: s.master + " at " + group, Dial: s.dialMaster}}
	}
	return []backend.Server[*conn]{{Key: s.key(group), Name: group, Dial: (&cluster{settings: s}).dial}}
}
