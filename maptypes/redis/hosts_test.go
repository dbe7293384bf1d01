package redis_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestSharedByHosts has two mail systems, each Postfix's master with our worker,
// share a table: what one of them stores the other one finds.
func TestSharedByHosts(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Root, testenv.Postfix, testenv.Redis)
	s := newServer(t, durable...)
	bin := testenv.Bin(t, "proxymap", "postmap")
	ours, theirs := filepath.Join(bin, "postmap"), postfixtest.PostfixCommand("postmap")
	type host struct {
		*postfixtest.Instance
		table string
	}
	var hosts []host
	for range 2 {
		pf := postfixtest.New(t)
		table := "proxy:redis:" + pf.WriteFile("cache.cf", "hosts = "+s.address()+"\nkey_format = verify:%s\nttl = 31d\n")
		pf.SetMain("proxy_read_maps", table)
		pf.SetMain("proxy_write_maps", table)
		if err := os.Symlink(filepath.Join(bin, "proxymap"), filepath.Join(pf.Daemons, "proxymapd")); err != nil {
			t.Fatal(err)
		}
		pf.SetMaster("proxymap unix - - n - - proxymapd", "proxywrite unix - - n - 1 proxymapd")
		pf.Start(postfixtest.PostfixMaster())
		hosts = append(hosts, host{pf, table})
	}
	ask := func(h host, command string, exit int, stdout string, args ...string) {
		t.Helper()
		if r := h.Postmap(command, append(args, h.table)...); r.Exit != exit || r.Stdout != stdout {
			t.Errorf("%q: %+v, want %d and %q", args, r, exit, stdout)
		}
	}
	ask(hosts[0], theirs, 1, "", "-q", "joe@example.com")
	if r := hosts[0].Run("joe@example.com 0:1700000000:0:250 2.1.5 Ok\n", ours, "-c", hosts[0].Conf, "-i", hosts[0].table); r.Exit != 0 {
		t.Errorf("update: %+v", r)
	}
	ask(hosts[1], theirs, 0, "0:1700000000:0:250 2.1.5 Ok\n", "-q", "joe@example.com")
	ask(hosts[1], ours, 0, "joe@example.com\t0:1700000000:0:250 2.1.5 Ok\n", "-s")
	ask(hosts[1], ours, 0, "", "-d", "joe@example.com")
	ask(hosts[0], theirs, 1, "", "-q", "joe@example.com")
	ask(hosts[0], ours, 1, "", "-d", "joe@example.com")
}
