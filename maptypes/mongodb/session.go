//go:build mongodb

package mongodb

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/proxymapd/proxymapd/maptypes/backend"
)

// session is a lookup's share of the connections to the servers.
type session struct {
	client  *mongo.Client
	release func() error
}

// Alive reports true: the library replaces connections.
func (s *session) Alive() bool { return true }

// Close gives the share back.
func (s *session) Close() error { return s.release() }

// shared is the library's client, which the sessions of a server share.
type shared struct {
	settings *settings

	mu     sync.Mutex
	client *mongo.Client // nil when there is none
	users  int
	linger *time.Timer // to close the client when there are no users
}

// lingerTime is how long the client is kept after its last use: it takes a while
// to find out about the servers.
const lingerTime = 5 * time.Second

// dial returns a share of the client, after a look whether a server answers.
func (sh *shared) dial(ctx context.Context) (*session, error) {
	client, err := sh.join()
	if err != nil {
		return nil, errors.New(sh.settings.harmless(err))
	}
	s := &session{client: client, release: sync.OnceValue(sh.part)}
	if err := client.Ping(ctx, nil); err != nil {
		s.Close()
		return nil, errors.New(sh.settings.harmless(err))
	}
	return s, nil
}

// join counts a user of the client, which is made if there is none.
func (sh *shared) join() (*mongo.Client, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.client == nil {
		client, err := mongo.Connect(sh.settings.clientOptions())
		if err != nil {
			return nil, err
		}
		sh.client = client
	}
	if sh.linger != nil {
		sh.linger.Stop()
	}
	sh.users++
	return sh.client, nil
}

func (sh *shared) part() error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.users--; sh.users == 0 {
		sh.linger = time.AfterFunc(lingerTime, sh.close)
	}
	return nil
}

func (sh *shared) close() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.users > 0 || sh.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = sh.client.Disconnect(ctx) // what is left ends with its time
	sh.client = nil
}

// Errors of a server that is about to end, or that is no longer the one to ask
// (mongodb.com: "Error Codes").
var unfit = []int{
	91,    // ShutdownInProgress
	189,   // PrimarySteppedDown
	10058, // LegacyNotPrimary
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// lostUnlessAnswer marks the loss of the server. The error of a server about one
// query is returned as it is.
func lostUnlessAnswer(err error) error {
	var server mongo.ServerError
	if !errors.As(err, &server) || mongo.IsNetworkError(err) || mongo.IsTimeout(err) {
		return backend.Lost(err)
	}
	for _, code := range unfit {
		if server.HasErrorCode(code) {
			return backend.Lost(err)
		}
	}
	return err
}
