package proxymap_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// client returns a protocol client of the service.
func (s *service) client() *protocol.Client {
	c := protocol.NewClient(protocol.ClientOptions{
		Dial: func(context.Context) (net.Conn, error) { return net.Dial("unix", s.listener.Addr().String()) },
	})
	s.t.Cleanup(func() { c.Close() })
	return c
}

// countingDriver counts how often its tables are opened, and blocks, panics or
// answers as the key says.
func countingDriver(opens *atomic.Int32, blocked chan struct{}) maptypes.Driver {
	return maptypes.Driver{
		Type: "count",
		Open: func(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			opens.Add(1)
			return &maptypes.Opened{Table: countingTable{blocked}, Flags: flags | maptypes.FlagFixed}, nil
		},
	}
}

type countingTable struct{ blocked chan struct{} }

func (t countingTable) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	switch string(r.Key) {
	case "block":
		<-t.blocked
	case "panic":
		panic("driver fault")
	case "nul":
		return []byte("a\x00b"), nil
	}
	return append([]byte("answer to "), r.Key...), nil
}

func (t countingTable) Close() error { return nil }

func TestClientsShareInstances(t *testing.T) {
	var opens atomic.Int32
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:count:x"},
		countingDriver(&opens, nil))
	var clients sync.WaitGroup
	for i := range 50 {
		clients.Go(func() {
			// Bit 8 (SYNC_UPDATE) does not make an instance differ.
			reply, err := s.client().Lookup(context.Background(), "count:x", uint32(i%2)<<8, 0, []byte("k"))
			if err != nil || string(reply.Value) != "answer to k" {
				t.Errorf("got %q, %v", reply.Value, err)
			}
		})
	}
	clients.Wait()
	if n := opens.Load(); n != 1 {
		t.Errorf("the table was opened %d times, want once", n)
	}
}

func TestInstancesAreBounded(t *testing.T) {
	var opens atomic.Int32
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:count:x"},
		countingDriver(&opens, nil))
	c := s.client()
	for flags := range uint32(1 << 20) {
		if flags%97 != 0 {
			continue
		}
		if _, err := c.Open(context.Background(), "count:x", flags); err != nil {
			break
		}
	}
	if n := opens.Load(); n > 64 {
		t.Errorf("one client made the worker open %d instances", n)
	}
	// The instances that are there go on.
	if _, err := c.Lookup(context.Background(), "count:x", 0, 0, []byte("k")); err != nil {
		t.Error(err)
	}
}

func TestBlockedLookupBlocksNobodyElse(t *testing.T) {
	var opens atomic.Int32
	blocked := make(chan struct{})
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:count:x"},
		countingDriver(&opens, blocked))
	waiting := make(chan error)
	go func() {
		_, err := s.client().Lookup(context.Background(), "count:x", 0, 0, []byte("block"))
		waiting <- err
	}()
	for i := range 20 {
		if _, err := s.client().Lookup(context.Background(), "count:x", 0, 0, fmt.Appendf(nil, "key%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	close(blocked)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

func TestPanicAndNULBecomeConfig(t *testing.T) {
	var opens atomic.Int32
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:count:x"},
		countingDriver(&opens, nil))
	c := s.client()
	for _, key := range []string{"panic", "nul"} {
		if _, err := c.Lookup(context.Background(), "count:x", 0, 0, []byte(key)); protocolStatus(err) != protocol.StatusConfig {
			t.Errorf("%s: got %v, want CONFIG", key, err)
		}
	}
	if s.log.count("driver fault") == 0 || s.log.count("NUL") != 1 {
		t.Errorf("log: %q", s.log.all())
	}
	if reply, err := c.Lookup(context.Background(), "count:x", 0, 0, []byte("k")); err != nil || string(reply.Value) != "answer to k" {
		t.Errorf("afterwards: got %q, %v", reply.Value, err)
	}
}

func protocolStatus(err error) protocol.Status {
	if e, ok := err.(*protocol.Error); ok {
		return e.Status
	}
	return -1
}

func TestChangedFileIsSeenOnOpenConnections(t *testing.T) {
	for _, typ := range []string{"texthash", "regexp"} {
		t.Run(typ, func(t *testing.T) {
			dir := shortDir(t)
			key := map[string]string{"texthash": "k", "regexp": "/k/"}[typ]
			path := filepath.Join(dir, "table")
			put := func(text string) {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put(key + " one\n")
			name := typ + ":" + path
			s := startService(t, "proxymap", dir, map[string]string{"proxy_read_maps": "proxy:" + name})
			c := s.client()
			ask := func(want string) {
				t.Helper()
				var got protocol.Reply
				var err error
				for range 500 {
					if got, err = c.Lookup(context.Background(), name, 64, 64, []byte("k")); err == nil && string(got.Value) == want {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
				t.Fatalf("got %q, %v; want %q", got.Value, err, want)
			}
			ask("one")
			put(key + " second\n")
			ask("second")
			if s.log.count("has changed -- reloaded") == 0 {
				t.Errorf("log: %q", s.log.all())
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				ask("second")
			}
			if n := s.log.count("keeping the old one"); n != 1 {
				t.Errorf("logged %d times: %q", n, s.log.all())
			}
			put(key + " third\n")
			ask("third")
		})
	}
}

func TestTableThatAppearsLater(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "table")
	name := "texthash:" + path
	s := startService(t, "proxymap", dir, map[string]string{"proxy_read_maps": "proxy:" + name})
	c := s.client()
	flags, err := c.Open(context.Background(), name, 64|1<<14)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(context.Background(), name, 64|1<<14, flags, []byte("K")); protocolStatus(err) != protocol.StatusRetry {
		t.Fatalf("got %v, want RETRY", err)
	}
	if err := os.WriteFile(path, []byte("k v\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		reply, err := c.Lookup(context.Background(), name, 64|1<<14, flags, []byte("K"))
		if err == nil && string(reply.Value) == "v" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the table was never found: %q", s.log.all())
}
