package proxymap_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/proxymap"
	"github.com/proxymapd/proxymapd/maptypes/all"
	"github.com/proxymapd/proxymapd/protocol"
)

// BenchmarkCache has 16 clients of one service ask for a table in another process's place, behind a socket, with and
// without a cache in between.
func BenchmarkCache(b *testing.B) {
	for name, list := range map[string]string{"without": "", "with": " ttl=1h"} {
		b.Run(name, func(b *testing.B) {
			dir, err := os.MkdirTemp("", "pm")
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { os.RemoveAll(dir) })
			var asked atomic.Int32
			socketmapServer(b, filepath.Join(dir, "s"), &asked)
			table := "socketmap:unix:" + filepath.Join(dir, "s") + ":name"
			params := map[string]string{"compatibility_level": "3.6", "proxy_read_maps": "proxy:" + table}
			if list != "" {
				params["proxymapd_cache"] = table + list
			}
			log := logrus.New()
			log.SetOutput(io.Discard)
			server, err := proxymap.New("proxymap", config.New(dir, params), all.Drivers(), log)
			if err != nil {
				b.Fatal(err)
			}
			clients, stop := 16, benchServer(b, server, filepath.Join(dir, "p"))
			defer stop()
			b.ReportAllocs()
			var running sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range clients {
				running.Go(func() {
					c := protocol.NewClient(protocol.ClientOptions{
						Dial: func(context.Context) (net.Conn, error) { return net.Dial("unix", filepath.Join(dir, "p")) },
					})
					defer c.Close()
					for left.Add(-1) >= 0 {
						if _, err := c.Lookup(context.Background(), table, 64, 64, []byte("user@example.com")); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(asked.Load())/float64(b.N), "asked/op")
		})
	}
}

// benchServer serves on a socket until stop is called.
func benchServer(b *testing.B, server *proxymap.Server, path string) (stop func()) {
	b.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				server.ServeConn(context.Background(), conn)
			})
		}
	})
	return func() {
		l.Close()
		conns.Wait()
		server.Close()
	}
}
