package memcache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/maptypes"
)

func TestStoredForm(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, "key_format = p:%s\nttl = 500\nflags = 77\n"), maptypes.ReadWrite)
	if err := update(h, "k", "a value"); err != nil {
		t.Fatal(err)
	}
	if reply := server.Command("mg p:k f t v"); reply != "VA 7 f77 t500\r\na value\r\n" && reply != "VA 7 f77 t499\r\na value\r\n" {
		t.Errorf("memcached has %q", reply)
	}
	if err := update(h, "k", "another"); err != nil {
		t.Fatal(err)
	}
	wantValue(t, h, "k", "another")
	if err := remove(h, "k"); err != nil {
		t.Error(err)
	}
	if err := remove(h, "k"); err != maptypes.ErrNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if reply := server.Command("mg p:k v"); reply != "EN\r\n" {
		t.Errorf("memcached has %q", reply)
	}
}

// TestKeysThatCannotBe is about keys that the server cannot have.
func TestKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	spec := writeTable(b, "t", "unix:"+server.Socket, "domain = example.com, other\n")
	h := b.Open(spec, maptypes.ReadWrite)
	name := strings.TrimPrefix(spec, "memcache:")
	longest := strings.Repeat("k", 250-len("@example.com")) + "@example.com"
	if err := update(h, longest, "v"); err != nil {
		t.Errorf("a key of 250 bytes: %v", err)
	}
	wantValue(t, h, longest, "v")
	b.TakeLog()
	for key, want := range map[string]struct {
		err error
		log string
	}{
		"k" + longest:      {maptypes.ErrConfig, ""},
		"a b@example.com":  {maptypes.ErrNotFound, "name contains space"},
		"a\r\nset x@other": {maptypes.ErrNotFound, "name contains space"},
		"a@elsewhere.com":  {maptypes.ErrNotFound, "domain mismatch"},
		"@example.com":     {maptypes.ErrNotFound, "domain mismatch"},
		"":                 {maptypes.ErrNotFound, "empty lookup key"},
	} {
		wantClass(t, h, key, maptypes.ErrNotFound)
		if err := remove(h, key); err != maptypes.ErrNotFound {
			t.Errorf("delete of %.40q: %v", key, err)
		}
		if log := b.TakeLog(); log != nil {
			t.Errorf("lookup and delete of %.40q: log %q", key, log)
		}
		if err := update(h, key, "v"); maptypes.Class(err) != want.err {
			t.Errorf("update of %.40q: %v", key, err)
		}
		var wantLog []string
		if want.log != "" {
			wantLog = []string{fmt.Sprintf("warning: %s: skipping update for name \"%s\": %s", name, strings.NewReplacer("\r", "?", "\n", "?").Replace(key), want.log)}
		}
		if log := b.TakeLog(); !slices.Equal(log, wantLog) {
			t.Errorf("update of %.40q: log %q, want %q", key, log, wantLog)
		}
	}
	wantValue(t, h, longest, "v")
}

func TestKeyDigest(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	// The digests of "p:abc", from openssl dgst.
	for digest, want := range map[string]string{
		"md5":        "15c70f249a4dde4da2cc1f6aa1e4ccc5",
		"sha1":       "9fa94f00ec3036dd0a09f8c45d032b972db289c1",
		"SHA256":     "fcc8b86568826a535c1889c98bb3e3de0199c39a7e4c0fab12a8e5cc5879d71d",
		"sha-256":    "fcc8b86568826a535c1889c98bb3e3de0199c39a7e4c0fab12a8e5cc5879d71d",
		"SHA2-256":   "fcc8b86568826a535c1889c98bb3e3de0199c39a7e4c0fab12a8e5cc5879d71d",
		"sha512/256": "05005415862e40aaebcfd3c68a6bd99262b66d9402a554e6f92cf89c7868e65a",
		"sha3-256":   "3236d5c7f0df4a2b0fc52658117ba5a2d77b156b3331fe63a440e89efa2b7753",
	} {
		h := b.Open(writeTable(b, strings.ReplaceAll(digest, "/", "_"), "unix:"+server.Socket, "key_format = p:%s\nkey_digest = "+digest+"\n"), maptypes.ReadWrite)
		if err := update(h, "abc", digest); err != nil {
			t.Error(err)
		}
		if reply := server.Command("mg %s v", want); reply != fmt.Sprintf("VA %d\r\n%s\r\n", len(digest), digest) {
			t.Errorf("%s: memcached has %q", digest, reply)
		}
		long := strings.Repeat("long ", 1000)
		if err := update(h, long, "x"); err != nil {
			t.Errorf("%s: a long key with blanks: %v", digest, err)
		}
		wantValue(t, h, long, "x")
	}
	spec := writeTable(b, "bad", "unix:"+server.Socket, "key_digest = sha257\n")
	_, err := b.Env.Registry.Open(b.Env, spec, maptypes.ReadOnly, 0)
	if want := "open " + strings.TrimPrefix(spec, "memcache:") + ": key digest sha257 is not available"; !errors.Is(err, maptypes.ErrConfig) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestLongValues(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	spec := writeTable(b, "t", "unix:"+server.Socket, "data_size_limit = 100\n")
	h := b.Open(spec, maptypes.ReadWrite)
	if err := update(h, "k", strings.Repeat("x", 100)); err != nil {
		t.Error(err)
	}
	wantValue(t, h, "k", strings.Repeat("x", 100))
	if err := update(h, "k", strings.Repeat("x", 101)); err != maptypes.ErrNotFound {
		t.Errorf("update with a long value: %v, which is not what Postfix says", err)
	}
	want := []string{"warning: database " + spec + ": data for key k is too long (data_size_limit=100) -- not stored"}
	if log := b.TakeLog(); !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
	server.Command("set long 0 0 101\r\n%s", strings.Repeat("x", 101))
	for range 3 {
		_, err := streamtest.Get(context.Background(), h, "long")
		if want := "database " + spec + ": value of 101 bytes is too long (data_size_limit)"; maptypes.Class(err) != maptypes.ErrRetry || err.Error() != want {
			t.Errorf("lookup of a long value: %v, want %s", err, want)
		}
	}
	// The server's own limit.
	big := b.Open(writeTable(b, "big", "unix:"+server.Socket, "data_size_limit = 10000000\nmax_try = 1\n"), maptypes.ReadWrite)
	if err := update(big, "big", strings.Repeat("x", 2<<20)); maptypes.Class(err) != maptypes.ErrRetry || !strings.HasSuffix(err.Error(), "update failed: SERVER_ERROR object too large for cache") {
		t.Errorf("update with 2 MB: %v", err)
	}
	if err := update(big, "big", strings.Repeat("x", 1<<19)); err != nil {
		t.Errorf("update with 512 kB: %v", err)
	}
	wantValue(t, big, "big", strings.Repeat("x", 1<<19))
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := writeTable(b, "t", "unix:/no/such", "")
	h := b.Open(spec, maptypes.ReadOnly)
	if err := update(h, "k", "v"); !errors.Is(err, maptypes.ErrConfig) {
		t.Errorf("update: %v", err)
	}
	if err := remove(h, "k"); !errors.Is(err, maptypes.ErrConfig) {
		t.Errorf("delete: %v", err)
	}
	if f := h.Flags(); f&maptypes.FlagFixed == 0 || f&maptypes.FlagMultiWriter == 0 {
		t.Errorf("flags %v", f)
	}
	_, err := b.Env.Registry.Open(b.Env, spec, maptypes.ReadOnly, maptypes.FlagNoUnauth)
	if want := spec + " map is not allowed for security-sensitive data"; !errors.Is(err, maptypes.ErrConfig) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestUnusedParameter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := writeTable(b, "t", "unix:/no/such", "max_tries = 5\n")
	b.Open(spec, maptypes.ReadOnly)
	want := []string{"warning: " + strings.TrimPrefix(spec, "memcache:") + ", line 2: unused parameter: max_tries"}
	if log := b.TakeLog(); !slices.Equal(log, want) {
		t.Errorf("log %q, want %q", log, want)
	}
}

// TestManyClients checks that each gets its own answer.
func TestManyClients(t *testing.T) {
	t.Parallel()
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	h := b.Open(writeTable(b, "t", "unix:"+server.Socket, ""), maptypes.ReadWrite)
	var wg sync.WaitGroup
	for client := range 16 {
		wg.Go(func() {
			for i := range 100 {
				key := strconv.Itoa(client) + "/" + strconv.Itoa(i)
				if err := update(h, key, "value of "+key); err != nil {
					t.Error(err)
				}
				wantValue(t, h, key, "value of "+key)
				if i%2 == 0 {
					if err := remove(h, key); err != nil {
						t.Error(err)
					}
					wantClass(t, h, key, maptypes.ErrNotFound)
				}
			}
		})
	}
	wg.Wait()
}
