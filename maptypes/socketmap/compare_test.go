package socketmap_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes/socketmap"
)

// compare looks keys up with both programs and compares answers and log lines.
func compare(t *testing.T, b *streamtest.Bench, spec string, keys []string, describe func(key string) string) {
	t.Helper()
	type result struct {
		answer string
		log    []string
	}
	want := make([]result, len(keys))
	var wait sync.WaitGroup
	turns := make(chan struct{}, 16) // postmap waits for a second before it ends with an error
	for i, key := range keys {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			want[i].answer, want[i].log = b.Postfix(spec, key)
		})
	}
	wait.Wait()
	for i, key := range keys {
		answer, log := b.Ours(spec, key)
		if answer != want[i].answer || !slices.Equal(log, want[i].log) {
			t.Errorf("%s, %s:\ngot  %.300q %q\nwant %.300q %q", spec, describe(key), answer, log, want[i].answer, want[i].log)
		}
	}
}

func TestRepliesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	replies := []string{
		netstring("OK value"), netstring("OK "), netstring("OK  two  blanks "), netstring("OK a\x00b"), netstring("OK\tx"), netstring("OK \xff\xc3\xa4\x01"),
		netstring("ok value"), netstring("OKAY value"), netstring("NOTFOUND "), netstring("NOTFOUND"), netstring("NOTFOUND because"), netstring("NOT FOUND"),
		netstring("TEMP reason"), netstring("TEMP "), netstring("TEMP"), netstring("TEMP   \t blanks first"), netstring("TEMP line\nbreak\x1b[0m \xe4"),
		netstring("TEMP " + strings.Repeat("long ", 100)), netstring("TIMEOUT late"), netstring("TIMEOUT"), netstring("PERM never"), netstring("PERM"),
		netstring("HELLO"), netstring("HELLO world"), netstring(""), netstring(" "), netstring("\x00OK x"), ":,", "000008:OK value,",
		netstring("OK " + strings.Repeat("x", 100000-3)), netstring("OK " + strings.Repeat("x", 100000-2)),
		"8:OK value;", "8:OK value ", "8OK value,", "-8:OK value,", "+8:OK value,", " 8:OK value,", "x", "\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
		"99999999999999999999999:", "9223372036854775807:", "9223372036854775808:", "100001:", "", "3", "3:", "3:OK", netstring("OK one") + netstring("OK two"),
	}
	server := streamtest.Listen(t, "tcp", answerWith(func(_, key string) (string, bool) {
		n, err := strconv.Atoi(key)
		if err != nil {
			return netstring("PERM bad test"), false
		}
		return replies[n], false
	}))
	b := streamtest.New(t, socketmap.Driver)
	var keys []string
	for i := range replies {
		keys = append(keys, strconv.Itoa(i))
	}
	compare(t, b, "socketmap:"+server.Endpoint()+":test", keys, func(key string) string {
		n, _ := strconv.Atoi(key)
		return strconv.Quote(replies[n][:min(len(replies[n]), 60)])
	})
}

func TestKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	b := streamtest.New(t, socketmap.Driver)
	random := rand.New(rand.NewPCG(1, 2))
	keys := []string{"a", "A B", " ", "user@example.com", ":", ",", "5:x,", "\x80\xff", "ä", "%s", strings.Repeat("k", 50000)}
	for range 30 {
		var key strings.Builder
		for range 1 + random.IntN(30) {
			key.WriteByte(byte(1 + random.IntN(255)))
		}
		keys = append(keys, key.String())
	}
	for _, network := range []string{"tcp", "unix"} {
		server := streamtest.Listen(t, network, answerWith(echo))
		for _, name := range []string{"test", "", "with blank", "slash/../"} {
			compare(t, b, "socketmap:"+server.Endpoint()+":"+name, keys, strconv.Quote)
		}
	}
}

func TestNamesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	b := streamtest.New(t, socketmap.Driver)
	for _, spec := range []string{
		"socketmap:", "socketmap:x", "socketmap:x:y", "socketmap:inet:y", "socketmap::inet:1:y", "socketmap:inet::y", "socketmap:tcp:127.0.0.1:1:y",
		"socketmap:unix:" + strings.Repeat("/long", 30) + ":y", "socketmap:inet:[127.0.0.1:1:y", "socketmap:inet:[127.0.0.1]1:y", "socketmap:inet:127.0.0.1:1x:y",
		"socketmap:inet:[ipv6:127.0.0.1]:1:y", "socketmap:inet:a b:1:y", "socketmap:inet:127.0.0.1::y",
	} {
		compare(t, b, spec, []string{"key"}, strconv.Quote)
	}
}

func TestAddressesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	b := streamtest.New(t, socketmap.Driver)
	server := streamtest.Listen(t, "tcp", answerWith(echo))
	_, port, _ := strings.Cut(server.Addr, ":")
	for _, endpoint := range []string{"inet:127.0.0.1:", "inet:[127.0.0.1]:", "inet:localhost:", "inet::", "inet:"} {
		compare(t, b, "socketmap:"+endpoint+port+":y", []string{"key"}, strconv.Quote)
	}
	unix := streamtest.Listen(t, "unix", answerWith(echo))
	compare(t, b, "socketmap:local:"+unix.Addr+":y", []string{"key"}, strconv.Quote)
}
