package memcache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// query is a table and a key. Each has a bench of its own, because it may take a
// while until a lookup fails.
type query struct {
	bench *streamtest.Bench
	spec  string
	key   string
}

// compare looks keys up with both programs and compares answers and log lines.
func compare(t *testing.T, queries []query) {
	t.Helper()
	var wg sync.WaitGroup
	turns := make(chan struct{}, 32)
	for _, q := range queries {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			wantAnswer, wantLog := q.bench.Postfix(q.spec, q.key)
			answer, log := q.bench.Ours(q.spec, q.key)
			for i := range log { // which server it was is said differently
				log[i] = strings.Replace(log[i], ": connect to memcache server ", ": connect to ", 1)
			}
			if answer != wantAnswer || fmt.Sprintf("%q", log) != fmt.Sprintf("%q", wantLog) {
				t.Errorf("%s, key %.60q:\ngot  %.300q %q\nwant %.300q %q", q.spec, q.key, answer, log, wantAnswer, wantLog)
			}
		})
	}
	wg.Wait()
}

// compareMany does the same for many keys in one table, up to the first that fails.
func compareMany(t *testing.T, b *streamtest.Bench, spec string, keys []string) {
	t.Helper()
	want, wantLog := b.PostfixMany(spec, keys)
	got, log := b.OursMany(spec, keys)
	if got != want || fmt.Sprintf("%q", log) != fmt.Sprintf("%q", wantLog) {
		t.Errorf("%s:\ngot  %q %q\nwant %q %q", spec, got, log, want, wantLog)
	}
}

// TestSettingsAgainstPostfix compares what keys become.
func TestSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix, testenv.Memcached)
	server := postfixtest.StartMemcached(t)
	b := newBench(t)
	for _, key := range []string{"a", "user@example.com", "p:a", "p:user@example.com", "user", "example.com", "com-example", "constant", "%", "@example.com", "user@", "\u00a0", "\x01"} {
		server.Command("set %s 0 0 %d\r\n[%s]", key, len(key)+2, key)
	}
	backup := b.Write("backup", "inbackup from backup\nlong@example.com x\na not asked\n")
	list := b.Write("list", "example.com\n")
	keys := []string{"a", "A", "user@example.com", "USER@Example.com", "@example.com", "user@", "user@example.org", "user@mail.example.com", "user@com", "a b", " ", "", "%", "none",
		"inbackup", "\u00a0", "\x01", "\x0b", "a@b@example.com", strings.Repeat("k", 248)}
	for name, settings := range map[string]string{
		"plain":   "",
		"prefix":  "key_format = p:%s",
		"upper":   "key_format = p:%S",
		"user":    "key_format = %u",
		"domain":  "key_format = %D",
		"labels":  "key_format = %1-%2",
		"percent": "key_format = %%",
		"const":   "key_format = constant",
		"empty":   "key_format =",
		"blank":   "key_format = p %s",
		"inlist":  "domain = example.com",
		"file":    "domain = " + list,
		"table":   "domain = inline:{example.com=x}",
		"backup":  "backup = texthash:" + backup,
		"both":    "backup = texthash:" + backup + "\nkey_format = p:%s",
	} {
		compareMany(t, b, writeTable(b, name, "unix:"+server.Socket, settings), keys)
	}
	var queries []query
	for _, settings := range []string{"domain = fail:x", "backup = fail:x"} {
		for _, key := range []string{"a", "none@example.com", "@example.com", ""} {
			b := newBench(t)
			queries = append(queries, query{b, writeTable(b, "t", "unix:"+server.Socket, settings), key})
		}
	}
	compare(t, queries)
}

func TestBadSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	var queries []query
	add := func(server, settings string) {
		b := newBench(t)
		queries = append(queries, query{b, writeTable(b, "t", server, settings), "key"})
	}
	for i, settings := range []string{
		"key_format = %x", "key_format = %", "max_try = 2x", "max_try = 0", "retry_pause = 0", "data_size_limit = 0", "line_size_limit = 0", "ttl = -1", "flags = -1",
		"timeout = 0", "domain = /no/such/file", "backup = nosuch:x", "backup = texthash:/no/such/file",
	} {
		add(fmt.Sprint("unix:/no/such/", i), settings)
	}
	for _, server := range []string{"x", "tcp:127.0.0.1:1", "inet:", ":x"} {
		add(server, "")
	}
	queries = append(queries, query{newBench(t), "memcache:/no/such/file", "key"})
	compare(t, queries)
}

// scripted answers every command line with a reply. The lines that follow "set" are
// data.
func scripted(reply func(line string) string) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "set ") || strings.HasPrefix(line, "add ") {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
			raw := reply(strings.TrimSuffix(line, "\r\n"))
			if _, err := io.WriteString(conn, raw); err != nil || raw == "" {
				return
			}
		}
	}
}

// TestRepliesAgainstPostfix is about servers that answer anything.
func TestRepliesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	var queries []query
	for _, reply := range []string{
		"END\r\n", "END\n", "VALUE k 0 5\r\nvalue\r\nEND\r\n", "VALUE k 0 5\nvalue\r\nEND\r\n", "VALUE k 0 5 17\r\nvalue\r\nEND\r\n", "VALUE k 0 0\r\n\r\nEND\r\n",
		"VALUE k 0 5\r\na\x00bcd\r\nEND\r\n", "VALUE k 0 10240\r\n" + strings.Repeat("x", 10240) + "\r\nEND\r\n", "VALUE k 4294967295 5\r\n\xff\xe4\r\n\t\r\nEND\r\n",
		"VALUE k 0 x\r\n", "VALUE k 0 -1\r\n", "VALUE k 0\r\n", "VALUE\r\n", "\r\n", "end\r\n", "ERROR\r\n", "SERVER_ERROR out of memory and much more text\r\n",
		"CLIENT_ERROR \x1b\t\xe4\r\n", strings.Repeat("x", 1022) + "\r\n",
	} {
		server := streamtest.Listen(t, "unix", scripted(func(string) string { return reply }))
		b := newBench(t)
		queries = append(queries, query{b, writeTable(b, "t", server.Endpoint(), ""), "k"})
	}
	compare(t, queries)
}

// TestIOErrorsAgainstPostfix is about replies that end too early, of which Postfix
// says what errno happens to be.
func TestIOErrorsAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	var wg sync.WaitGroup
	for _, reply := range []string{"", "END", "VALUE k 0 5\r\nval", "VALUE k 0 5\r\nvalue", strings.Repeat("x", 1023) + "\r\n", strings.Repeat("x", 100000)} {
		wg.Go(func() {
			server := streamtest.Listen(t, "unix", func(conn net.Conn) {
				if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
					_, _ = io.WriteString(conn, reply) // the client finds out
				}
			})
			b := newBench(t)
			spec := writeTable(b, "t", server.Endpoint(), "")
			wantAnswer, wantLog := b.Postfix(spec, "k")
			answer, log := b.Ours(spec, "k")
			if answer != wantAnswer || len(log) != 1 || len(wantLog) != 1 || !strings.HasPrefix(log[0], "warning: database "+spec+": I/O error: ") {
				t.Errorf("%.40q: got %s %q, want %s %q", reply, answer, log, wantAnswer, wantLog)
			}
		})
	}
	wg.Wait()
}

// TestSequenceAgainstPostfix lists the backup, or says that there is none.
func TestSequenceAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	b := newBench(t)
	source := b.Write("source", "a 1\nb 2\nc 3\n")
	for name, settings := range map[string]string{"with": "backup = texthash:" + source, "without": ""} {
		spec := writeTable(b, name, "inet:127.0.0.1:1", settings)
		want, wantLog, _ := b.Postmap("", "-s", spec)
		h := b.Open(spec, maptypes.ReadOnly)
		got := ""
		var c maptypes.Cursor
		for {
			key, value, err := h.Sequence(context.Background(), request(h, "", ""), &c)
			if err == maptypes.ErrNotFound {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%s\t%s\n", key, value)
		}
		if log := b.TakeLog(); got != sorted(want) || !slices.Equal(log, wantLog) {
			t.Errorf("%s: %q %q, want %q %q", name, got, log, want, wantLog)
		}
	}
}

func sorted(lines string) string {
	return strings.Join(slices.Sorted(strings.Lines(lines)), "")
}
