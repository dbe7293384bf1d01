package mysql_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// echoQuery answers with the key, and with an error when the key begins with "bad".
const echoQuery = "query = SELECT IF('%s' LIKE 'bad%%', (SELECT 1 UNION SELECT 2), CONCAT('<', '%s', '>'))\n"

// TestAnswersOnOneConnection checks that everybody gets the answer to his own query when many are in progress on one
// connection, also when some of them are refused and when the connection is lost now and then.
func TestAnswersOnOneConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", echoQuery+"max_connections = 1\nlookup_timeout = 60"))
	b.want(h, "a", "<a>")
	before := b.connections()
	ask := func(i, rounds int, mayFail bool) {
		for n := range rounds {
			key := fmt.Sprintf("%d.%d.%s", i, n, strings.Repeat("k", n*37%900))
			if got, err := get(h, key); got != "<"+key+">" && !(mayFail && maptypes.Class(err) == maptypes.ErrRetry) {
				t.Errorf("lookup of %.20s: %.30q %v", key, got, err)
			}
			if n%5 == 0 {
				if got, err := get(h, "bad"+key); maptypes.Class(err) != maptypes.ErrRetry || mayFail && got != "" {
					t.Errorf("lookup of bad%.20s: %.30q %v", key, got, err)
				}
			}
		}
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() { ask(i, 50, false) })
	}
	wg.Wait()
	if made := b.connections() - before - 1; made != 0 {
		t.Errorf("%d more connections were made for 40 clients, want none", made)
	}
	for i := range 40 {
		wg.Go(func() { ask(i, 100, true) })
	}
	for range 5 {
		b.db.SQL("SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE user = 'mail' INTO @k; " +
			"EXECUTE IMMEDIATE IFNULL(@k, 'DO 0')")
	}
	wg.Wait()
	b.want(h, "a", "<a>")
}

// TestSlowQueryDelaysNoOther checks that the lookups that come after one whose answer takes long use other connections.
func TestSlowQueryDelaysNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("t", "query = SELECT IF('%s' = 'slow', SLEEP(40), '%s')\nmax_connections = 2\nlookup_timeout = 30\n"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	go func() {
		_, err := h.Lookup(ctx, &maptypes.Request{Key: []byte("slow"), Flags: h.Flags()})
		ended <- err
	}()
	for !strings.Contains(b.db.SQL("SHOW FULL PROCESSLIST"), "'slow' = 'slow'") {
		select {
		case err := <-ended:
			t.Fatalf("the slow lookup has ended: %v", err)
		default:
		}
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for n := range 20 {
				key := fmt.Sprintf("%d.%d", i, n)
				b.want(h, key, key)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-ended:
		t.Errorf("the others have waited for the slow lookup: %v", err)
	default:
		cancel()
		if err := <-ended; maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("the slow lookup, whose client has gone: %v", err)
		}
	}
}
