package memcache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/protocol"
)

// newProxywrite starts Postfix's proxywrite service for a table and returns a client.
func newProxywrite(t *testing.T, spec string) *protocol.Client {
	t.Helper()
	pf := postfixtest.New(t)
	pf.SetMain("proxy_write_maps", "proxy:"+spec)
	pf.SetMain("smtputf8_enable", "no")
	pf.SetMaster("proxywrite unix - - n - 1 proxymap")
	pf.Start(postfixtest.PostfixMaster())
	client := protocol.NewClient(protocol.ClientOptions{
		Service: "proxywrite",
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(pf.Queue, "private", "proxywrite"))
		},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// classOf is the class that a client's error stands for.
func classOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, protocol.ErrNoKey):
		return maptypes.ErrNotFound
	case errors.Is(err, protocol.ErrConfig):
		return maptypes.ErrConfig
	case errors.Is(err, protocol.ErrRetry):
		return maptypes.ErrRetry
	}
	return err
}

// TestUpdatesAgainstPostfix performs the same requests with our driver and with
// Postfix's, on a server each, and compares what comes of them. What one has stored,
// the other reads.
func TestUpdatesAgainstPostfix(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.Postfix, testenv.Memcached)
	b := newBench(t)
	makeReadable(t, b)
	ours, theirs := postfixtest.StartMemcached(t), postfixtest.StartMemcached(t)
	const settings = "key_format = p:%s\ndata_size_limit = 100\ndomain = example.com, !example.org, inline:{example.net=x}\n"
	h := b.Open(writeTable(b, "ours", "unix:"+ours.Socket, settings), maptypes.ReadWrite)
	spec := writeTable(b, "theirs", "unix:"+theirs.Socket, settings)
	reader := b.Open(spec, maptypes.ReadOnly)
	client := newProxywrite(t, spec)
	flags := uint32(maptypes.FlagLock | maptypes.FlagFoldFix)

	seed := rand.Uint64()
	t.Log("seed ", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var keys []string
	for range 30 {
		keys = append(keys, randomText(random, 4)+"@"+[]string{"example.com", "EXAMPLE.com", "example.net", "example.org", ""}[random.IntN(5)])
	}
	ctx := context.Background()
	stored, found, skipped := 0, 0, 0
	for range 600 {
		key, value := keys[random.IntN(len(keys))], randomText(random, 110)
		var got, want error
		var gotValue, wantValue string
		switch random.IntN(3) {
		case 0:
			got = update(h, key, value)
			_, err := client.Update(ctx, spec, flags, flags, []byte(key), []byte(value))
			want = classOf(err)
			if want == nil {
				stored++
				gotValue, wantValue = lookup(reader, key), fmt.Sprintf("%q <nil>", value)
			} else {
				skipped++
			}
		case 1:
			got = remove(h, key)
			_, err := client.Delete(ctx, spec, flags, flags, []byte(key))
			want = classOf(err)
		case 2:
			gotValue = lookup(h, key)
			reply, err := client.Lookup(ctx, spec, flags, flags, []byte(key))
			wantValue = fmt.Sprintf("%q %v", reply.Value, classOf(err))
			if err == nil {
				found++
			}
		}
		if maptypes.Class(got) != want || gotValue != wantValue {
			t.Errorf("key %q, value %q: got %v %s, want %v %s", key, value, got, gotValue, want, wantValue)
		}
	}
	if stored < 20 || found < 20 || skipped < 20 {
		t.Errorf("%d updates, %d values found, %d not stored: the test has tested little", stored, found, skipped)
	}
	for _, key := range keys {
		key = string(maptypes.AppendLower(nil, []byte(key)))
		got, want := ours.Command("mg p:%s v f", key), theirs.Command("mg p:%s v f", key)
		if !strings.ContainsAny(key, " \t\v\f") && got != want {
			t.Errorf("key %q: our server has %q, Postfix's %q", key, got, want)
		}
	}
}

func lookup(h *maptypes.Handle, key string) string {
	value, err := h.Lookup(context.Background(), request(h, key, ""))
	return fmt.Sprintf("%q %v", value, maptypes.Class(err))
}

// randomText returns text without NUL and line ends.
func randomText(random *rand.Rand, most int) string {
	text := make([]byte, 1+random.IntN(most))
	for i := range text {
		for text[i] == 0 || text[i] == '\n' || text[i] == '\r' {
			text[i] = byte(random.IntN(256))
		}
	}
	return string(text)
}
