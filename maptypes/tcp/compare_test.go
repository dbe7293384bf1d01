package tcp_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/internal/streamtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes/tcp"
)

// answerWith serves connections with the raw replies that a function returns for
// lines, until the client leaves or the function returns false.
func answerWith(reply func(line string) (raw string, more bool)) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			raw, more := reply(strings.TrimSuffix(line, "\n"))
			if _, err := io.WriteString(conn, raw); err != nil || !more {
				return
			}
		}
	}
}

// echo answers with the request as it came.
func echo(line string) (raw string, more bool) { return "200 " + line + "\n", true }

// compare looks keys up with both programs and compares answers and log lines.
// Postfix does not log soft errors.
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
		log = slices.DeleteFunc(log, func(line string) bool { return strings.Contains(line, ": soft error: ") })
		if answer != want[i].answer || len(log)+len(want[i].log) > 0 && !slices.Equal(log, want[i].log) {
			t.Errorf("%s, %s:\ngot  %.300q %q\nwant %.300q %q", spec, describe(key), answer, log, want[i].answer, want[i].log)
		}
	}
}

func TestRepliesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	replies := []string{
		"200 value\n", "200 a%20b\n", "200 a b\n", "200 \n", "200  x\n", "200\tx\n", "200\vx\n", "200\n", "200", "200x\n", "299 value\n", "2x0 value\n",
		"200 %\n", "200 %4\n", "200 %4g\n", "200 %g4\n", "200 %41%4a%4A\n", "200 a%00b\n", "200 a\x00b\n", "200\x00 b\n", "200 %25%0a%0D%ff\n", "200 \xff\xc3\xa4\x01\n",
		"200 value\r\n", "500 no\n", "500 \n", "500\n", "599 %zz\n", "500 %41\n", "400 later\n", "400 \n", "400\n", "400 %zz\n", "450 \x1b[0m\n",
		"100 x\n", "300 x\n", "000 x\n", "900 x\n", "-200 x\n", " 200 x\n", "20 x\n", "2000 x\n", "OK value\n", "\n", " \n", "HTTP/1.1 400 Bad Request\r\n",
		"200 one\n200 two\n", "300 " + strings.Repeat("long", 100) + "\n", "bad " + strings.Repeat("long", 100) + "\n", "bad \xe4\t\x01\n",
		"200 " + strings.Repeat("x", 4096-5) + "\n",
	}
	server := streamtest.Listen(t, "tcp", answerWith(func(line string) (string, bool) {
		n, err := strconv.Atoi(strings.TrimPrefix(line, "get "))
		if err != nil {
			return "300 bad test\n", false
		}
		return replies[n], true
	}))
	b := streamtest.New(t, tcp.Driver)
	var keys []string
	for i, reply := range replies {
		if strings.HasSuffix(reply, "\n") {
			keys = append(keys, strconv.Itoa(i))
		}
	}
	compare(t, b, "tcp:"+server.Addr, keys, func(key string) string {
		n, _ := strconv.Atoi(key)
		return strconv.Quote(replies[n][:min(len(replies[n]), 60)])
	})
}

// TestKeysAgainstPostfix compares the requests as the server gets them.
func TestKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	server := streamtest.Listen(t, "tcp", answerWith(func(line string) (string, bool) {
		return echo(strings.ReplaceAll(line, "%", "%25"))
	}))
	b := streamtest.New(t, tcp.Driver)
	keys := []string{"a", "A b", " ", "%", "%41", "user@example.com", "ä", "\x7f\x1f~!", strings.Repeat("k", 3000)}
	for c := 1; c < 256; c += 16 {
		var key []byte
		for i := range 16 {
			key = append(key, byte(min(c+i, 255)))
		}
		keys = append(keys, string(key))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var key strings.Builder
		for range 1 + random.IntN(30) {
			key.WriteByte(byte(1 + random.IntN(255)))
		}
		keys = append(keys, key.String())
	}
	compare(t, b, "tcp:"+server.Addr, keys, strconv.Quote)
}

func TestNamesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	b := streamtest.New(t, tcp.Driver)
	for _, spec := range []string{"tcp:[127.0.0.1:1", "tcp:[127.0.0.1]1", "tcp:127.0.0.1:1x", "tcp:127.0.0.1:", "tcp:a b:1", "tcp:"} {
		compare(t, b, spec, []string{"key"}, strconv.Quote)
	}
	server := streamtest.Listen(t, "tcp", answerWith(echo))
	_, port, _ := strings.Cut(server.Addr, ":")
	for _, host := range []string{"127.0.0.1:", "[127.0.0.1]:", "localhost:", ":", ""} {
		compare(t, b, "tcp:"+host+port, []string{"key"}, strconv.Quote)
	}
}

// TestLongRepliesAgainstPostfix is about replies that make Postfix try again and
// again, with one line in the log for each time; ours says it once.
func TestLongRepliesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Postfix)
	var wg sync.WaitGroup
	for _, reply := range []string{"200 " + strings.Repeat("x", 4096-4) + "\n", strings.Repeat("x", 100000)} {
		wg.Go(func() {
			server := streamtest.Listen(t, "tcp", answerWith(func(string) (string, bool) { return reply, true }))
			b := streamtest.New(t, tcp.Driver)
			want := "warning: read TCP map reply from " + server.Addr + ": text longer than 4096"
			wantAnswer, wantLog := b.Postfix("tcp:"+server.Addr, "key")
			answer, log := b.Ours("tcp:"+server.Addr, "key")
			if answer != wantAnswer || !slices.Equal(log, []string{want}) || len(wantLog) == 0 || wantLog[0] != want {
				t.Errorf("got %s %q, want %s %q", answer, log, wantAnswer, wantLog)
			}
		})
	}
	wg.Wait()
}
