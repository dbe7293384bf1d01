package redis_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// wire is between the driver and a server, and can lose a reply.
type wire struct {
	address string
	lose    atomic.Bool // the next reply is lost, and the connection with it
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &wire{address: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp4", to)
			if err != nil {
				client.Close()
				return
			}
			go func() {
				io.Copy(server, client)
				server.Close()
			}()
			go w.back(client, server)
		}
	}()
	return w
}

func (w *wire) back(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	buf := make([]byte, 4096)
	for {
		n, err := server.Read(buf)
		if err != nil || w.lose.CompareAndSwap(true, false) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostReply checks that a change that was made, but whose acknowledgement was
// lost, is neither "not found" nor a duplicate when it is made again.
func TestLostReply(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	w := newWire(t, s.address())
	for name, settings := range map[string]string{"strings": "", "fields": "key_format = h\nfield_format = %s\n"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			h := b.open("t", "hosts = "+w.address+"\n"+settings, maptypes.Create)
			b.want(h, "a", "-")
			w.lose.Store(true)
			if err := put(h, "a", "x", 0); err != nil {
				t.Errorf("new entry: %v", err)
			}
			b.want(h, "a", "x")
			w.lose.Store(true)
			if err := put(h, "a", "y", 0); maptypes.Class(err) != maptypes.ErrConfig {
				t.Errorf("duplicate: %v", err)
			}
			b.want(h, "a", "x")
			w.lose.Store(true)
			if err := put(h, "a", "y", maptypes.FlagDupReplace); err != nil {
				t.Errorf("replacement: %v", err)
			}
			b.want(h, "a", "y")
			w.lose.Store(true)
			if err := del(h, "a"); err != nil {
				t.Errorf("delete: %v", err)
			}
			b.want(h, "a", "-")
			if err := del(h, "a"); err != maptypes.ErrNotFound {
				t.Errorf("delete of nothing: %v", err)
			}
			if w.lose.Load() {
				t.Error("no reply was lost")
			}
		})
	}
}
