package proxymap_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// socketmapServer answers "name key" with the number of the request, and counts.
func socketmapServer(t testing.TB, path string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					length, err := r.ReadString(':')
					if err != nil {
						return
					}
					n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
					if err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, r, int64(n)+1); err != nil {
						return
					}
					text := fmt.Sprintf("OK answer %d", asked.Add(1))
					fmt.Fprintf(conn, "%d:%s,", len(text), text)
				}
			}()
		}
	}()
}

// TestCacheOfARealWorker: Postfix's postmap asks our worker under Postfix's master. The cache belongs to the worker, so
// that it outlives clients, and goes with it.
func TestCacheOfARealWorker(t *testing.T) {
	pf := postfixtest.New(t, postfixtest.Daemon("proxymap", filepath.Join(testenv.Bin(t, "proxymap"), "proxymap")))
	var asked atomic.Int32
	socket := filepath.Join(pf.Tables, "s")
	socketmapServer(t, socket, &asked)
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	table := "socketmap:unix:" + socket + ":name"
	pf.SetMain("proxy_read_maps", "proxy:"+table)
	pf.SetMain("proxymapd_cache", table+" ttl=1h")
	pf.SetMaster("proxymap unix - - n - 1 proxymap")
	pf.Start(postfixtest.PostfixMaster())
	for range 4 {
		if r := pf.Postmap(postfixtest.PostfixCommand("postmap"), "-q", "k", "proxy:"+table); r.Exit != 0 || r.Stdout != "answer 1\n" {
			t.Errorf("got %+v", r)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times, want once", n)
	}
	pf.Stop()

	pf.SetMain("proxymapd_cache", table+" ttl=1h keep=9")
	r := pf.Run("", filepath.Join(testenv.Bin(t, "proxymap"), "proxymap"), "-S", "-d")
	want := `unknown name "keep": it must be one of ttl, negative_ttl, stale_on_error, max_bytes: proxymapd_cache = ` + table + " ttl=1h keep=9\n"
	if log := pf.Log() + r.Stderr; r.Exit != 1 || strings.Count(log, "fatal: "+want) == 0 {
		t.Errorf("exit %d, log:\n%s\nwant %s", r.Exit, log, want)
	}
}
