package memcache_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

// withBackup opens a table with a bolt: backup, and the backup by itself.
func withBackup(t *testing.T, server *postfixtest.Memcached, settings string) (b *streamtest.Bench, h, backup *maptypes.Handle) {
	t.Helper()
	b = newBench(t)
	spec := "bolt:" + b.Dir + "/backup"
	h, err := b.Env.Registry.Open(b.Env, writeTable(b, "t", "unix:"+server.Socket, "key_format = p:%s\nbackup = "+spec+"\n"+settings), maptypes.Create, streamtest.Flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return b, h, b.Open(spec, maptypes.ReadWrite)
}

func TestUpdatesReachBoth(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b, h, backup := withBackup(t, server, "")
	for _, value := range []string{"one", "two"} {
		if err := update(h, "Key", value); err != nil {
			t.Fatal(err)
		}
		wantValue(t, backup, "key", value)
		if reply := server.Command("mg p:key v"); reply != "VA 3\r\n"+value+"\r\n" {
			t.Errorf("memcached has %q", reply)
		}
	}
	if err := remove(h, "Key"); err != nil {
		t.Fatal(err)
	}
	wantClass(t, backup, "key", maptypes.ErrNotFound)
	if reply := server.Command("mg p:key v"); reply != "EN\r\n" {
		t.Errorf("memcached has %q", reply)
	}
	if err := remove(h, "Key"); err != maptypes.ErrNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if log := b.TakeLog(); log != nil {
		t.Errorf("log %q", log)
	}
}

// TestLookupFillsServer checks that what is found in the backup is found in the server
// the next time, and that the server has the last word then.
func TestLookupFillsServer(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	_, h, backup := withBackup(t, server, "")
	if err := update(backup, "k", "from backup"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, h, "k", "from backup")
	if reply := server.Command("mg p:k v"); reply != "VA 11\r\nfrom backup\r\n" {
		t.Errorf("memcached has %q", reply)
	}
	server.Command("set p:k 0 0 11\r\nfrom server")
	wantValue(t, h, "k", "from server")
	wantClass(t, h, "none", maptypes.ErrNotFound)
}

// TestBackupWithoutServer checks that the backup answers while the server is away,
// and that its silence is in the log.
func TestBackupWithoutServer(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b, h, backup := withBackup(t, server, "")
	if err := update(h, "before", "1"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	wantValue(t, h, "before", "1")
	wantClass(t, h, "none", maptypes.ErrNotFound)
	if err := update(h, "meanwhile", "2"); err != nil {
		t.Error(err)
	}
	wantValue(t, backup, "meanwhile", "2")
	if err := remove(h, "before"); err != nil {
		t.Error(err)
	}
	want := []string{"warning: connect to memcache server " + server.Socket + ": Connection refused"}
	if log := b.TakeLog(); !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
	server.Start()
	wantValue(t, h, "meanwhile", "2")
	wantClass(t, h, "before", maptypes.ErrNotFound)
}

// TestBackupFails checks that a backup that cannot be asked is not taken for one that
// has no entry.
func TestBackupFails(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, "backup = fail:x\n"), maptypes.ReadOnly)
	wantClass(t, h, "k", maptypes.ErrRetry)
	server.Command("set k 0 0 1\r\nv")
	wantValue(t, h, "k", "v")
}

// TestKeysForTheBackupOnly is about keys and values that only the backup can have.
func TestKeysForTheBackupOnly(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b, h, _ := withBackup(t, server, "data_size_limit = 50\n")
	long := strings.Repeat("k", 300)
	if err := update(h, long, "value"); err != nil {
		t.Error(err)
	}
	wantValue(t, h, long, "value")
	if log := b.TakeLog(); len(log) != 1 || !strings.HasSuffix(log[0], "key of 302 bytes is too long for the server -- not stored (see key_digest)") {
		t.Errorf("log %q", log)
	}
	if err := remove(h, long); err != nil {
		t.Error(err)
	}
	wantClass(t, h, long, maptypes.ErrNotFound)
	value := strings.Repeat("v", 51)
	if err := update(h, "k", value); err != nil {
		t.Error(err)
	}
	wantValue(t, h, "k", value)
	if reply := server.Command("mg p:k v"); reply != "EN\r\n" {
		t.Errorf("memcached has %q", reply)
	}
}

// TestUpdateDuringLookup checks that a lookup does not put back into the server what
// an update has replaced meanwhile.
func TestUpdateDuringLookup(t *testing.T) {
	t.Parallel()
	var h *maptypes.Handle
	stored := map[string]string{}
	server := streamtest.Listen(t, "unix", scriptedStore(stored, func(line string) {
		// The lookup has been told that there is no entry, and asks the backup next.
		if line == "get k" && stored["k"] == "" {
			stored["k"] = "new"
		}
	}))
	b := newBench(t)
	h = b.Open(writeTable(b, "t", server.Endpoint(), "backup = inline:{k=old}\n"), maptypes.ReadOnly)
	wantValue(t, h, "k", "old")
	wantValue(t, h, "k", "new")
}

func TestSequenceOfBackup(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	_, h, _ := withBackup(t, server, "")
	want := []string{"a=1", "b=2", "c=3"}
	for _, entry := range want {
		if err := update(h, entry[:1], entry[2:]); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	var c maptypes.Cursor
	r := request(h, "", "")
	for {
		key, value, err := h.Sequence(context.Background(), r, &c)
		if err == maptypes.ErrNotFound {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(key)+"="+string(value))
	}
	if !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

// TestBackupBehindBrokenServer checks that a server that fails to answer is not asked
// for more, and that the reason is in the log.
func TestBackupBehindBrokenServer(t *testing.T) {
	t.Parallel()
	var commands atomic.Int32
	server := streamtest.Listen(t, "unix", scripted(func(string) string {
		commands.Add(1)
		return "SERVER_ERROR out of memory\r\n"
	}))
	b := newBench(t)
	spec := writeTable(b, "t", server.Endpoint(), "max_try = 1\nbackup = inline:{k=v}\n")
	h := b.Open(spec, maptypes.ReadOnly)
	wantValue(t, h, "k", "v")
	want := []string{"warning: " + strings.TrimPrefix(spec, "memcache:") + ": unexpected memcache server reply: SERVER_ERROR out of memory"}
	if log := b.TakeLog(); commands.Load() != 1 || !slices.Equal(log, want) {
		t.Errorf("%d commands, log %q, want %q", commands.Load(), log, want)
	}
}
