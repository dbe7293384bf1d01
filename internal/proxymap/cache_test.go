package proxymap_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/proxymap"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
	"github.com/proxymapd/proxymapd/protocol"
)

// slowDriver answers each key with the number of the lookup, when the test lets it.
func slowDriver(asked *atomic.Int32, gate chan struct{}) maptypes.Driver {
	return maptypes.Driver{
		Type: "slow",
		Open: func(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
			return &maptypes.Opened{Table: slowTable{asked, gate}, Flags: flags | maptypes.FlagFixed, Fold: maptypes.FlagFoldFix}, nil
		},
	}
}

type slowTable struct {
	asked *atomic.Int32
	gate  chan struct{}
}

func (t slowTable) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	n := t.asked.Add(1)
	<-t.gate
	if strings.HasPrefix(string(r.Key), "none") {
		return nil, maptypes.ErrNotFound
	}
	return fmt.Appendf(nil, "%s/%d", r.Key, n), nil
}

func (t slowTable) Close() error { return nil }

// TestCacheForAllClients: clients with the old and the new protocol, who ask at the same time or one after the other, and
// spell the table and the key differently, cost one lookup.
func TestCacheForAllClients(t *testing.T) {
	var asked atomic.Int32
	gate := make(chan struct{})
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{
		"proxy_read_maps": "proxy:slow:x proxy:unionmap:{proxy:slow:x}", "proxymapd_cache": "slow:x ttl=1h negative_ttl=1h",
	}, append(all.Drivers(), slowDriver(&asked, gate))...)
	ask := func(table, key, want string) {
		reply, err := s.client().Lookup(context.Background(), table, 1<<14, 1<<14, []byte(key))
		if want == "" && protocolStatus(err) != protocol.StatusNoKey || want != "" && (err != nil || string(reply.Value) != want) {
			t.Errorf("%s %s: got %q, %v, want %q", table, key, reply.Value, err, want)
		}
	}
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() { ask([]string{"slow:x", "proxy:slow:x"}[i%2], []string{"k", "K"}[i/2%2], "k/1") })
	}
	close(gate)
	clients.Wait()
	for range 3 {
		ask("slow:x", "K", "k/1")
		ask("slow:x", "none", "")
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the table was asked %d times, want 2", n)
	}
	// A table that is nested in another is cached, too.
	for range 3 {
		ask("unionmap:{proxy:slow:x}", "other", "other/3")
	}
	reply, err := s.client().Explain(context.Background(), "slow:x", 1<<14, 1<<14, []byte("K"))
	if err != nil || string(reply.Value) != "k/1" || !strings.Contains(string(reply.Trace), "cache: hit, age ") {
		t.Errorf("explained: %q %v %s", reply.Value, err, reply.Trace)
	}
	s.stop()
	if s.log.count("table slow:x: cache: ") != 1 {
		t.Errorf("log: %q", s.log.all())
	}
}

// TestNoCacheUnlessAskedFor: each lookup asks the table.
func TestNoCacheUnlessAskedFor(t *testing.T) {
	var asked atomic.Int32
	gate := make(chan struct{})
	close(gate)
	s := startServiceWith(t, "proxymap", shortDir(t), map[string]string{"proxy_read_maps": "proxy:slow:x"}, slowDriver(&asked, gate))
	for i := range 3 {
		if reply, err := s.client().Lookup(context.Background(), "slow:x", 0, 0, []byte("k")); err != nil || string(reply.Value) != fmt.Sprintf("k/%d", i+1) {
			t.Errorf("got %q, %v", reply.Value, err)
		}
	}
}

func TestCacheParameterThatIsWrong(t *testing.T) {
	for list, want := range map[string]string{
		"mysql:/a ttl=60s, mysql:/b ttl=soon": `bad time value "soon": the unit must be one of s, m, h, d, w: proxymapd_cache = mysql:/b ttl=soon`,
		"{ mysql:/a ttl=60s":                  `missing '}' in "{ mysql:/a ttl=60s": proxymapd_cache = { mysql:/a ttl=60s`,
	} {
		for _, name := range []string{"proxymap", "proxywrite"} {
			log := logrus.New()
			log.SetOutput(io.Discard)
			_, err := proxymap.New(name, config.New("/nonexistent", map[string]string{"proxymapd_cache": list, "compatibility_level": "3.6"}), all.Drivers(), log)
			if err == nil || err.Error() != want {
				t.Errorf("%s, %s:\ngot  %v\nwant %s", name, list, err, want)
			}
		}
	}
}

// writing are both services with one table that proxywrite updates, and the spellings of it that a cache is wanted for.
type writing struct {
	t      *testing.T
	read   *service
	write  *service
	reader *protocol.Client
	writer *protocol.Client
	table  string // as proxywrite knows it
}

func startWriting(t *testing.T, typ, cached string) *writing {
	t.Helper()
	dir := shortDir(t)
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	w := &writing{t: t, table: typ + ":" + dir + "/t"}
	name := strings.ReplaceAll(cached, "DIR", dir)
	params := map[string]string{
		"proxy_read_maps": "proxy:" + w.table + " { proxy:" + name + " } ", "proxy_write_maps": "proxy:" + w.table,
		"proxymapd_cache": "{ " + name + " ttl=1h negative_ttl=1h }",
	}
	if strings.HasPrefix(name, "unionmap:") {
		params["proxy_read_maps"] = strings.ReplaceAll(name, "unionmap:{", "unionmap:{proxy:") + " proxy:" + name
	}
	w.write = startService(t, "proxywrite", dir, params)
	w.writer = w.write.client()
	w.update(-1)
	w.read = startService(t, "proxymap", dir, params)
	w.reader = w.read.client()
	return w
}

func (w *writing) update(n int) {
	w.t.Helper()
	if _, err := w.writer.Update(context.Background(), w.table, 64, 64, []byte("k"), fmt.Appendf(nil, "%08d", n)); err != nil {
		w.t.Fatal(err)
	}
}

// mustBe asks for the key a few times.
func (w *writing) mustBe(table string, n int) {
	w.t.Helper()
	for range 5 {
		reply, err := w.reader.Lookup(context.Background(), table, 64, 64, []byte("k"))
		if err != nil || string(reply.Value) != fmt.Sprintf("%08d", n) {
			w.t.Fatalf("got %q, %v after %08d was acknowledged", reply.Value, err, n)
		}
	}
}

// TestCacheAfterAcknowledgedUpdate: the cache never serves a value after an update that proxywrite has acknowledged. Tables
// that are known to be updated are not cached, whatever they are called; of another the file tells.
func TestCacheAfterAcknowledgedUpdate(t *testing.T) {
	types := map[string]string{"bolt": ".bolt"}
	if withCgo {
		types["lmdb"] = ".lmdb"
	}
	for typ, suffix := range types {
		for _, tt := range []struct {
			cached  string
			refused bool
		}{
			{typ + ":DIR/t", true},
			{typ + ":DIR/./t", true},
			{typ + ":DIR/link/t", true},
			{"unionmap:{" + typ + ":DIR/t}", true},
			{typ + ":DIR/other", false},
			{"unionmap:{" + typ + ":DIR/other}", false},
		} {
			t.Run(tt.cached, func(t *testing.T) {
				t.Parallel()
				w := startWriting(t, typ, tt.cached)
				dir := filepath.Dir(strings.TrimPrefix(w.table, typ+":"))
				// A name of the file that nothing connects with the other.
				if err := os.Link(dir+"/t"+suffix, dir+"/other"+suffix); err != nil {
					t.Fatal(err)
				}
				if refused := w.read.log.count("is not cached: clients of the proxywrite service update "+w.table) == 1; refused != tt.refused {
					t.Errorf("refused: %v; log: %q", refused, w.read.log.all())
				}
				if w.write.log.count("cache") != 0 {
					t.Errorf("log of proxywrite: %q", w.write.log.all())
				}
				table := strings.ReplaceAll(tt.cached, "DIR", dir)
				for i := range 15 {
					w.update(i)
					w.mustBe(table, i)
					if i%3 == 0 {
						// Long enough for answers to be kept.
						time.Sleep(60 * time.Millisecond)
						w.mustBe(table, i)
					}
				}
				w.read.stop()
				if cached := w.read.log.count(" hits, ") == 1; cached == tt.refused || cached && w.read.log.count(": 0 hits") == 1 {
					t.Errorf("answers were kept: %v; log: %q", cached, w.read.log.all())
				}
			})
		}
	}
}

// TestCacheOfChangedFile: after a file was replaced, and the new one was answered from once, nothing old comes back.
func TestCacheOfChangedFile(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "table")
	put := func(n int) {
		if err := os.WriteFile(path+".new", fmt.Appendf(nil, "k %08d\n", n), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	name := "texthash:" + path
	s := startService(t, "proxymap", dir, map[string]string{"proxy_read_maps": "proxy:" + name, "proxymapd_cache": name + " ttl=1h"})
	c := s.client()
	ask := func() string {
		reply, err := c.Lookup(context.Background(), name, 64, 64, []byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		return string(reply.Value)
	}
	for n := range 5 {
		put(n)
		for deadline := time.Now().Add(10 * time.Second); ask() != fmt.Sprintf("%08d", n); {
			if time.Now().After(deadline) {
				t.Fatalf("got %q, want %d", ask(), n)
			}
			time.Sleep(time.Millisecond)
		}
		for range 20 {
			if got := ask(); got != fmt.Sprintf("%08d", n) {
				t.Fatalf("got %q again after %d", got, n)
			}
		}
	}
}
