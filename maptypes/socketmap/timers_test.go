package socketmap

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// pipes is a server without a network, for tests in virtual time.
type pipes struct {
	serve func(net.Conn)
	mu    sync.Mutex
	dials int
	ended []time.Duration // how long each connection lived
}

func (p *pipes) dial(context.Context, stream.Endpoint) (*stream.Conn, error) {
	client, server := net.Pipe()
	p.mu.Lock()
	p.dials++
	p.mu.Unlock()
	born := time.Now()
	go func() {
		p.serve(server)
		p.mu.Lock()
		p.ended = append(p.ended, time.Since(born))
		p.mu.Unlock()
		server.Close()
	}()
	return stream.NewConn(client), nil
}

// answer answers every request at once.
func answer(conn net.Conn) {
	request := make([]byte, 1000)
	for {
		if _, err := conn.Read(request); err != nil {
			return
		}
		if _, err := io.WriteString(conn, "4:OK x,"); err != nil {
			return
		}
	}
}

// bubble runs a test in virtual time, with a table that uses the server.
func bubble(t *testing.T, serve func(net.Conn), params map[string]string, test func(t *testing.T, p *pipes, table maptypes.Table)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{serve: serve}
		env := &maptypes.Env{
			Param: func(name string) (string, bool) { v, ok := params[name]; return v, ok },
			Warnf: t.Logf, Infof: t.Logf,
		}
		opened, err := openWith(&backend.Shared[*stream.Conn]{}, p.dial, env, "inet:localhost:1:x", maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		test(t, p, opened.Table)
		opened.Table.Close()
	})
}

func lookup(t *testing.T, table maptypes.Table, wantErr string) {
	t.Helper()
	_, err := table.Lookup(context.Background(), &maptypes.Request{Key: []byte("k")})
	if wantErr == "" && err == nil {
		return
	}
	if err == nil || maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), wantErr) {
		t.Errorf("error %v, want %q", err, wantErr)
	}
}

// silences are servers that make a lookup end by its time limit.
var silences = map[string]func(net.Conn){
	"never answers": func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
	"never reads":   func(net.Conn) { time.Sleep(time.Hour) },
	"a byte a second": func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1000))
		for _, err := io.WriteString(conn, "90000:"); err == nil; _, err = io.WriteString(conn, "x") {
			time.Sleep(time.Second)
		}
	},
}

func TestTimeLimit(t *testing.T) {
	for name, serve := range silences {
		for value, want := range map[string]time.Duration{"": 100 * time.Second, "7": 7 * time.Second, "2m": 2 * time.Minute} {
			t.Run(name+" "+value, func(t *testing.T) {
				params := map[string]string{"proxymapd_socketmap_timeout": value}
				bubble(t, serve, params, func(t *testing.T, _ *pipes, table maptypes.Table) {
					start := time.Now()
					lookup(t, table, "table socketmap:inet:localhost:1:x lookup error: time limit exceeded")
					if took := time.Since(start); took != want {
						t.Errorf("gave up after %v, want %v", took, want)
					}
					time.Sleep(time.Hour) // until the server has noticed
				})
			})
		}
	}
}

func TestIdleAndOldConnections(t *testing.T) {
	for _, c := range []struct {
		idle, ttl string
		pause     time.Duration // between lookups
		dials     int           // in 1000 seconds
		life      time.Duration // of the first connection; 0: it lives as long as the table
	}{
		{"", "", time.Hour, 1, 10 * time.Second},
		{"", "", 9 * time.Second, 10, 108 * time.Second}, // 100 s are over at the lookup after 108 s
		{"30", "", time.Hour, 1, 30 * time.Second},
		{"", "50", 5 * time.Second, 20, 50 * time.Second},
		{"1h", "1h", 9 * time.Second, 1, 0},
	} {
		params := map[string]string{"proxymapd_socketmap_max_idle": c.idle, "proxymapd_socketmap_max_ttl": c.ttl}
		bubble(t, answer, params, func(t *testing.T, p *pipes, table maptypes.Table) {
			for start := time.Now(); time.Since(start) < 1000*time.Second; time.Sleep(c.pause) {
				lookup(t, table, "")
			}
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.dials != c.dials {
				t.Errorf("%+v: %d connections", c, p.dials)
			}
			if c.life == 0 && len(p.ended) > 0 || c.life > 0 && (len(p.ended) == 0 || p.ended[0] != c.life) {
				t.Errorf("%+v: connections lived for %v", c, p.ended)
			}
		})
	}
}
