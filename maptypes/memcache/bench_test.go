package memcache_test

import (
	"context"
	"os"
	"testing"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bolt"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/memcache"
	"github.com/proxymapd/proxymapd/maptypes/texthash"
)

// newBench returns a bench with memcache: and some types for backups and domains.
func newBench(t testing.TB) *streamtest.Bench {
	return streamtest.New(t, memcache.Driver, bolt.Driver, fail.Driver, inline.Driver, texthash.Driver)
}

// writeTable writes the settings of a table, and returns "memcache:name".
func writeTable(b *streamtest.Bench, name, server, settings string) (spec string) {
	return "memcache:" + b.Write(name+".cf", "memcache = "+server+"\n"+settings)
}

// request is a request of a program that replaces entries.
func request(h *maptypes.Handle, key, value string) *maptypes.Request {
	return &maptypes.Request{Key: []byte(key), Value: []byte(value), Flags: h.Flags() | maptypes.FlagDupReplace | maptypes.FlagSyncUpdate}
}

func update(h *maptypes.Handle, key, value string) error {
	return h.Update(context.Background(), request(h, key, value))
}

func remove(h *maptypes.Handle, key string) error {
	return h.Delete(context.Background(), request(h, key, ""))
}

// wantValue looks a key up and checks the value.
func wantValue(t *testing.T, h *maptypes.Handle, key, want string) {
	t.Helper()
	if value, err := streamtest.Get(context.Background(), h, key); value != want || err != nil {
		t.Errorf("lookup of %.40q: %.40q %v, want %.40q", key, value, err, want)
	}
}

// wantClass looks a key up and checks that there is no value, and why.
func wantClass(t *testing.T, h *maptypes.Handle, key string, want error) {
	t.Helper()
	if value, err := streamtest.Get(context.Background(), h, key); maptypes.Class(err) != want {
		t.Errorf("lookup of %.40q: %.40q %v, want class %v", key, value, err, want)
	}
}

// makeReadable lets Postfix's services read the files of a bench.
func makeReadable(t testing.TB, b *streamtest.Bench) {
	t.Helper()
	if err := os.Chmod(b.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
