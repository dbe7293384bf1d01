package bdbmap_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// fill makes a table with one entry, through the registry.
func (w *world) fill(spec, key, value string) {
	w.t.Helper()
	b, err := registry.Create(w.env, spec, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := b.Add(context.Background(), &maptypes.Request{Key: []byte(key), Value: []byte(value)}); err != nil {
		w.t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

// TestRedirect: tables are made, read and changed in another type.
func TestRedirect(t *testing.T) {
	for typ, parameter := range map[string]string{"hash": "default_database_type", "btree": "default_cache_db_type"} {
		w := newWorld(t)
		w.params["non_bdb_migration_level"] = "enable-redirect"
		w.params[parameter] = "bolt"
		w.fill(typ+":"+w.path("t"), "a", "b")
		if _, err := os.Stat(w.path("t.bolt")); err != nil {
			t.Error(err)
		}
		want := "info: redirecting " + typ + ":DIR/t to bolt:DIR/t"
		if got := w.logged(); got != want {
			t.Errorf("logged %s, want %s", got, want)
		}
		h := w.mustOpen(typ, "t", maptypes.ReadOnly)
		if got := get(h, "A"); got != "b" {
			t.Errorf("%s: %q", typ, got)
		}
		if got := list(t, h); got != "a\tb\n" {
			t.Errorf("%s: %q", typ, got)
		}
		w.logged()
		w.params["non_bdb_migration_log_redirect"] = "no"
		h = w.mustOpen(typ, "cache", maptypes.Create)
		if err := put(h, "x", "y"); err != nil {
			t.Error(err)
		}
		if got := get(h, "x"); got != "y" {
			t.Errorf("%s: %q", typ, got)
		}
		if got := w.logged(); got != "" {
			t.Errorf("logged %s", got)
		}
		if _, err := os.Stat(w.path("cache.db")); !os.IsNotExist(err) {
			t.Error("a Berkeley DB file was made: ", err)
		}
		if _, err := w.open(typ, "none", maptypes.ReadOnly); err == nil || !strings.Contains(err.Error(), "none.bolt: No such file") {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// TestRedirectErrors has Postfix's messages.
func TestRedirectErrors(t *testing.T) {
	for _, test := range []struct{ level, database, custom, want string }{
		{"enable", "cdb", "", "invalid non-Berkeley-DB migration level: 'enable'"},
		{"enable-redirect", "hash", "", "Berkeley DB type mapping lookup error for 'hash:DIR/t': mapping from 'hash' to legacy type 'hash'"},
		{"enable-redirect", "", "", "Berkeley DB type mapping lookup error for 'hash:DIR/t': mapping from 'hash' to legacy type 'hash'"},
		{"enable-redirect", "btree", "", "Berkeley DB type mapping lookup error for 'hash:DIR/t': mapping from 'hash' to legacy type 'btree'"},
		{"enable-redirect", "c db", "", "Berkeley DB type mapping lookup error for 'hash:DIR/t': bad non-legacy database type syntax: 'c db'"},
		{"enable-redirect", "nosuch", "", "Berkeley DB type mapping lookup error for 'hash:DIR/t': mapping to unsupported database type: 'nosuch'"},
		{"enable-redirect", "cdb", "static:nosuch", "Berkeley DB type mapping lookup error for 'hash:DIR/t': mapping to unsupported database type: 'nosuch'"},
		{"enable-redirect", "cdb", "btree:/x", "Berkeley DB type mapping lookup error for 'hash:DIR/t': non_bdb_custom_mapping must not use legacy type: 'btree'"},
		{"enable-redirect", "bolt", "static:cdb", "open database DIR/t.cdb: No such file or directory"},
		{"enable-redirect", "static", "", ""},
	} {
		w := newWorld(t)
		w.params["non_bdb_migration_level"] = test.level
		w.params["default_database_type"] = test.database
		w.params["non_bdb_custom_mapping"] = test.custom
		_, err := w.open("hash", "t", maptypes.ReadOnly)
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), w.dir, "DIR")
		}
		if got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}

// indexService is a service that makes tables: nbdb_reindexd(8), which Postfix
// has since 3.11.
func indexService(t *testing.T, w *world, serve func(typ, path string) (status uint32, why string)) {
	if err := os.Mkdir(w.path("private"), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", w.path("private/nbdb_reindex"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Write(protocol.AppendEnd(protocol.AppendString(nil, "protocol", "nbdb_reindex")))
			in := bufio.NewReader(conn)
			var words [5]string // two attributes and the end
			for i := range words {
				words[i], _ = in.ReadString(0)
			}
			if words[0] == "nbdb_type\x00" && words[2] == "nbdb_path\x00" && words[4] == "\x00" {
				status, why := serve(strings.TrimSuffix(words[1], "\x00"), strings.TrimSuffix(words[3], "\x00"))
				conn.Write(protocol.AppendEnd(protocol.AppendString(protocol.AppendUint(nil, "status", status), "why", why)))
			}
			conn.Close()
		}
	}()
}

// TestReindex: a table that is not there yet is asked for.
func TestReindex(t *testing.T) {
	w := newWorld(t)
	w.params["queue_directory"] = w.dir
	w.params["non_bdb_migration_level"] = "enable-reindex"
	w.params["default_database_type"] = "cdb"
	requests := 0
	indexService(t, w, func(typ, path string) (uint32, string) {
		requests++
		if typ != "hash" || path != w.path("good") {
			return 1, "legacy indexed file " + path + ".db is missing"
		}
		w.fill("cdb:"+path, "a", "b")
		return 0, ""
	})
	for range 2 {
		if got := get(w.mustOpen("hash", "good", maptypes.ReadOnly), "a"); got != "b" {
			t.Errorf("got %q", got)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests for one table", requests)
	}
	_, err := w.open("hash", "bad", maptypes.ReadOnly)
	if want := "Non-Berkeley-DB migration error: legacy indexed file " + w.path("bad") + ".db is missing"; err == nil || err.Error() != want || !errors.Is(err, maptypes.ErrRetry) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestReindexWithoutService says which service is missing.
func TestReindexWithoutService(t *testing.T) {
	w := newWorld(t)
	w.params["queue_directory"] = w.dir
	w.params["non_bdb_migration_level"] = "enable-reindex"
	w.params["default_database_type"] = "cdb"
	_, err := w.open("hash", "t", maptypes.ReadOnly)
	if want := "connection to " + w.dir + "/private/nbdb_reindex service: No such file or directory"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestWarn: the table is used, and the log says what to do.
func TestWarn(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	w := newWorld(t)
	w.params["non_bdb_migration_level"] = "warn"
	w.postmap("", "hash:"+w.write("t", "a b\n"))
	h := w.mustOpen("hash", "t", maptypes.ReadOnly)
	if got := get(h, "a"); got != "b" {
		t.Errorf("got %q", got)
	}
	if got := w.logged(); !strings.HasPrefix(got, `warning: hash:DIR/t is a Berkeley DB table; to move on, run "postmap `) {
		t.Errorf("logged %s", got)
	}
}
