package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/backend"
	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// fake is a server without a network, for tests in virtual time.
type fake struct {
	mu     sync.Mutex
	down   bool
	silent bool
	dials  int
}

func (f *fake) dial(context.Context, stream.Endpoint) (*stream.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	if f.down {
		return nil, errors.New("Connection refused")
	}
	client, server := net.Pipe()
	go f.serve(server)
	return stream.NewConn(client), nil
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	request := make([]byte, 1000)
	for {
		if _, err := conn.Read(request); err != nil {
			return
		}
		f.mu.Lock()
		down, silent := f.down, f.silent
		f.mu.Unlock()
		if down {
			return
		}
		if silent {
			continue
		}
		if _, err := io.WriteString(conn, "200 x\n"); err != nil {
			return
		}
	}
}

func (f *fake) set(down, silent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.silent = down, silent
}

// bubble runs a test in virtual time, with a table that uses the server.
func bubble(t *testing.T, params map[string]string, test func(t *testing.T, f *fake, table maptypes.Table)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		env := &maptypes.Env{
			Param: func(name string) (string, bool) { v, ok := params[name]; return v, ok },
			Warnf: t.Logf, Infof: t.Logf,
		}
		opened, err := openWith(&backend.Shared[*stream.Conn]{}, f.dial, env, "localhost:1", maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		test(t, f, opened.Table)
		opened.Table.Close()
	})
}

// lookup performs a lookup, checks its class, and returns what it took.
func lookup(t *testing.T, ctx context.Context, table maptypes.Table, want error) time.Duration {
	t.Helper()
	start := time.Now()
	value, err := table.Lookup(ctx, &maptypes.Request{Key: []byte("k")})
	if maptypes.Class(err) != want {
		t.Errorf("lookup: %q %v", value, err)
	}
	return time.Since(start)
}

func TestTimeLimit(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 100 * time.Second, "7": 7 * time.Second} {
		bubble(t, map[string]string{"proxymapd_tcp_timeout": value}, func(t *testing.T, f *fake, table maptypes.Table) {
			f.set(false, true)
			if took := lookup(t, context.Background(), table, maptypes.ErrRetry); took != want {
				t.Errorf("gave up after %v, want %v", took, want)
			}
		})
	}
}

// TestOutage checks how long lookups wait for a server that is gone: as long as it
// may be on its way back, and no longer.
func TestOutage(t *testing.T) {
	ctx := context.Background()
	bubble(t, nil, func(t *testing.T, f *fake, table maptypes.Table) {
		lookup(t, ctx, table, nil)
		f.set(true, false)
		time.AfterFunc(4500*time.Millisecond, func() { f.set(false, false) })
		if took := lookup(t, ctx, table, nil); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("a lookup during a restart of 4.5 s took %v", took)
		}
		f.set(true, false)
		if took := lookup(t, ctx, table, maptypes.ErrRetry); took != patience {
			t.Errorf("the first lookup without a server took %v, want %v", took, patience)
		}
		for range 3 {
			if took := lookup(t, ctx, table, maptypes.ErrRetry); took != 0 {
				t.Errorf("a later lookup took %v", took)
			}
		}
		time.Sleep(time.Hour)
		if took := lookup(t, ctx, table, maptypes.ErrRetry); took != 0 {
			t.Errorf("a lookup after an hour took %v", took)
		}
		f.set(false, false)
		time.Sleep(tryPause)
		if took := lookup(t, ctx, table, nil); took != 0 {
			t.Errorf("a lookup when the server is back took %v", took)
		}
		f.set(true, false)
		if took := lookup(t, ctx, table, maptypes.ErrRetry); took != patience {
			t.Errorf("the first lookup of the second outage took %v, want %v", took, patience)
		}
	})
}

// TestOutageIsOverall checks that lookups that come later do not wait longer.
func TestOutageIsOverall(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, table maptypes.Table) {
		f.set(true, false)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 9 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				lookup(t, context.Background(), table, maptypes.ErrRetry)
			})
		}
		wg.Wait()
		if took := time.Since(start); took != patience {
			t.Errorf("the last one gave up after %v, want %v", took, patience)
		}
	})
}

func TestRequestorLeavesDuringOutage(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, table maptypes.Table) {
		f.set(true, false)
		ctx, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
		defer cancel()
		if took := lookup(t, ctx, table, maptypes.ErrRetry); took != 2500*time.Millisecond {
			t.Errorf("the lookup went on for %v", took)
		}
	})
}

// TestPoisonKey checks that a key at which the server hangs up is given up, though
// other keys are answered meanwhile.
func TestPoisonKey(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fake, tab maptypes.Table) {
		f.set(true, false)
		answered := time.NewTicker(100 * time.Millisecond)
		defer answered.Stop()
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-answered.C:
					tab.(*table).outage.end()
				case <-stop:
					return
				}
			}
		}()
		if took := lookup(t, context.Background(), tab, maptypes.ErrRetry); took != patience {
			t.Errorf("given up after %v, want %v", took, patience)
		}
		close(stop)
	})
}

func TestTimeLimitDuringOutage(t *testing.T) {
	bubble(t, map[string]string{"proxymapd_tcp_timeout": "4"}, func(t *testing.T, f *fake, table maptypes.Table) {
		f.set(true, false)
		if took := lookup(t, context.Background(), table, maptypes.ErrRetry); took != 4*time.Second {
			t.Errorf("the lookup took %v, want 4 s", took)
		}
	})
}
