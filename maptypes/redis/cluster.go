package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// cluster is the library's client of a cluster, which the conns of a table share.
type cluster struct {
	settings *settings

	mu     sync.Mutex
	client *goredis.ClusterClient // nil when there is none
	users  int
	linger *time.Timer       // to close the client when there are no users
	nodes  []*goredis.Client // that were found last
}

// lingerTime is how long the client is kept after its last use: a lookup that
// failed for want of one node is no reason to find out anew about all of them.
const lingerTime = 5 * time.Second

// dial returns a share of the client, after a look whether a node answers.
func (cl *cluster) dial(ctx context.Context) (*conn, error) {
	client, nodes := cl.join()
	c := &conn{client: client, release: sync.OnceValue(cl.part)}
	nodes, err := run(ctx, c, func(ctx context.Context, client goredis.UniversalClient) ([]*goredis.Client, error) {
		if anyAnswers(ctx, nodes) == nil {
			return nodes, nil
		}
		nodes, err := masters(ctx, client)
		if err == nil && len(nodes) == 0 {
			err = errors.New("no node of the cluster has slots")
		}
		if err == nil {
			err = anyAnswers(ctx, nodes)
		}
		return nodes, err
	})
	if err != nil {
		c.Close()
		return nil, cl.settings.dialFailed(err)
	}
	cl.mu.Lock()
	cl.nodes = nodes
	cl.mu.Unlock()
	return c, nil
}

// anyAnswers asks all nodes, and returns nil as soon as one has answered, or why
// one has not.
func anyAnswers(ctx context.Context, nodes []*goredis.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { results <- node.Ping(ctx).Err() }()
	}
	err := errors.New("no node of the cluster is known")
	for range nodes {
		if err = <-results; err == nil {
			return nil
		}
	}
	return err
}

// join counts a user of the client, which is made if there is none.
func (cl *cluster) join() (goredis.UniversalClient, []*goredis.Client) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.client == nil {
		cl.client, cl.nodes = cl.settings.newCluster(), nil
	}
	if cl.linger != nil {
		cl.linger.Stop()
	}
	cl.users++
	return cl.client, cl.nodes
}

func (cl *cluster) part() error {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.users--; cl.users == 0 {
		cl.linger = time.AfterFunc(lingerTime, cl.close)
	}
	return nil
}

func (cl *cluster) close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.users == 0 && cl.client != nil {
		cl.client.Close()
		cl.client = nil
	}
}

// patienceShare is the share of a lookup's time that one node may take to answer.
// Another one may know more.
const patienceShare = 3

// maxRetryPause is the longest pause before the library asks a node again, or
// another one.
const maxRetryPause = 50 * time.Millisecond

// newCluster returns the library's client of a cluster. Its connections go
// through the guard, too.
func (s *settings) newCluster() *goredis.ClusterClient {
	patience := s.limits.LookupTimeout / patienceShare
	var seeds []string
	for _, a := range s.addresses {
		seeds = append(seeds, a.where)
	}
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: seeds,
		Dialer: func(ctx context.Context, network, where string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(where)
			if err != nil {
				return nil, err
			}
			raw, err := s.dialNet(ctx, address{network: network, where: where, host: host})
			if err != nil {
				return nil, err
			}
			return &guard{Conn: raw}, nil
		},
		Protocol: 2, Username: s.user, Password: s.password,
		DialTimeout: patience, DialerRetries: 1, ContextTimeoutEnabled: true,
		ReadTimeout: patience, WriteTimeout: patience,
		MaxRetryBackoff: maxRetryPause,
		PoolSize:        s.limits.MaxConnections, MaxActiveConns: s.limits.MaxConnections, PipelinePoolSize: -1,
		ReadBufferSize: 4096, WriteBufferSize: 4096,
		ConnMaxIdleTime: s.limits.IdleInterval, ConnMaxLifetime: s.limits.Lifetime,
		DisableIdentity: true, DisableRoutingPolicies: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
