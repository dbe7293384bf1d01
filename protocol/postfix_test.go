package protocol

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// realProxymap starts the installed Postfix's proxymap(8) for each connection
// to the returned address, with its -S option.
func realProxymap(t *testing.T, approved string) string {
	t.Helper()
	testenv.Require(t, testenv.Postfix)
	l := listenUnix(t)
	dir := filepath.Dir(l.Addr().String())
	queue := filepath.Join(dir, "q")
	if err := os.Mkdir(queue, 0o755); err != nil {
		t.Fatal(err)
	}
	mainCF := "compatibility_level = 3.6\nqueue_directory = " + queue + "\nproxy_read_maps = " + approved + "\n"
	for name, text := range map[string]string{"main.cf": mainCF, "master.cf": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f, err := conn.File()
			conn.Close()
			if err != nil {
				t.Error(err)
				return
			}
			cmd := exec.Command(filepath.Join(testenv.PostfixDaemonDir(), "proxymap"), "-S", "-n", "proxymap", "-t", "unix")
			cmd.Stdin, cmd.Stdout = f, f
			cmd.Env = append(os.Environ(), "MAIL_CONFIG="+dir)
			if err := cmd.Start(); err != nil {
				t.Error(err)
			} else {
				go cmd.Wait()
			}
			f.Close()
		}
	}()
	return l.Addr().String()
}

// TestClientAndRealPostfix: whatever version is installed, the client finds out
// how to talk to it, also when the request with which it does is a long one.
func TestClientAndRealPostfix(t *testing.T) {
	address := realProxymap(t, "proxy:static:x proxy:inline:{a=b}")
	client := func() *Client {
		c := NewClient(ClientOptions{MaxTries: 3, Dial: func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", address)
		}})
		t.Cleanup(func() { c.Close() })
		return c
	}
	const lock, fixed = 1 << 6, 1 << 4

	c := client()
	flags, err := c.Open(ctx, "static:x", lock)
	if err != nil || flags&(lock|fixed) != lock|fixed {
		t.Errorf("open: %#x, %v", flags, err)
	}
	if r, err := c.Lookup(ctx, "static:x", lock, flags, []byte("k")); err != nil || string(r.Value) != "x" || r.Flags&lock == 0 {
		t.Errorf("lookup: %+v, %v", r, err)
	}
	if _, err := c.Lookup(ctx, "inline:{a=b}", lock, flags, []byte("k")); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if r, err := c.Sequence(ctx, "inline:{a=b}", lock, flags, SequenceFirst); err != nil || string(r.Key) != "a" || string(r.Value) != "b" {
		t.Errorf("sequence: %+v, %v", r, err)
	}
	if _, err := c.Open(ctx, "static:y", lock); !errors.Is(err, ErrDeny) {
		t.Errorf("not approved: %v", err)
	}
	if _, err := c.Update(ctx, "static:x", lock, flags, []byte("k"), []byte("v")); !errors.Is(err, ErrDeny) {
		t.Errorf("update: %v", err)
	}
	if _, err := c.Open(ctx, "nocolon", lock); !errors.Is(err, ErrBad) {
		t.Errorf("bad name: %v", err)
	}

	long := bytes.Repeat([]byte("k"), 100<<10)
	if r, err := client().Lookup(ctx, "static:x", lock, lock, long); err != nil || string(r.Value) != "x" {
		t.Errorf("long key: %+v, %v", r, err)
	}
}
