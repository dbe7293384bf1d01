package redis_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// newSentinel starts a sentinel that watches a master.
func newSentinel(t testing.TB, master *server, quorum int) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: dir, port: freePort(t), args: []string{"sentinel.conf", "--sentinel"}}
	t.Cleanup(s.cleanup)
	config := fmt.Sprintf(`port %d
bind 127.0.0.1
logfile log
sentinel monitor mail 127.0.0.1 %d %d
sentinel down-after-milliseconds mail 500
sentinel failover-timeout mail 3000
`, s.port, master.port, quorum)
	if err := os.WriteFile(filepath.Join(dir, "sentinel.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	return s
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Redis)
	b := newBench(t)
	master := newServer(t, durable...)
	replica := newServer(t, append([]string{"--replicaof", "127.0.0.1", fmt.Sprint(master.port)}, durable...)...)
	var sentinels []*server
	var hosts []string
	for range 3 {
		s := newSentinel(t, master, 2)
		sentinels = append(sentinels, s)
		hosts = append(hosts, s.address())
	}
	for _, s := range sentinels {
		s.wait("the sentinels to know each other and the replica", func() bool {
			text := s.do("SENTINEL", "master", "mail")
			return strings.Contains(text, "num-other-sentinels\n2") && strings.Contains(text, "num-slaves\n1")
		})
	}
	replica.wait("the replica to follow", func() bool { return strings.Contains(replica.do("INFO", "replication"), "master_link_status:up") })
	settings := "mode = sentinel\nsentinel_master = mail\nwait_replicas = 1\nhosts = 127.0.0.1:1 " + strings.Join(hosts, " ") + "\n"
	h := b.open("t", settings, maptypes.Create)
	reader := b.open("r", strings.Replace(settings, "wait_replicas = 1\n", "", 1), maptypes.ReadOnly)
	for i := range 50 {
		if err := put(h, fmt.Sprint("k", i), "before", 0); err != nil {
			t.Fatal(err)
		}
	}
	b.want(reader, "k7", "before")
	unknown := b.open("u", strings.Replace(settings, "sentinel_master = mail", "sentinel_master = other", 1), maptypes.ReadOnly)
	b.takeLog()
	b.wantRetry(unknown, "k7")
	if log := strings.Join(b.takeLog(), "\n"); !strings.Contains(log, "connect to redis server other at 127.0.0.1:1,") || !strings.Contains(log, "no master other is known") && !strings.Contains(log, "Connection refused") {
		t.Errorf("log %q", log)
	}

	sentinels[0].kill() // two are left, which is a majority
	master.kill()
	for i := range 50 {
		b.eventually(reader, fmt.Sprint("k", i), "before") // all that was acknowledged
	}
	if got := replica.do("ROLE"); !strings.HasPrefix(got, "master") {
		t.Errorf("the replica is no master: %q", got)
	}
	writer := b.open("w", strings.Replace(settings, "wait_replicas = 1\n", "", 1), maptypes.Create)
	b.eventuallyPut(writer, "k0", "after")
	b.want(reader, "k0", "after")
	// The update is not acknowledged while there is no replica.
	if err := put(h, "k1", "after", maptypes.FlagDupReplace); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("update without a replica: %v", err)
	}
	// The old master comes back as a replica, and its copy is not asked.
	master.start()
	b.eventuallyPut(h, "k2", "both")
	b.want(reader, "k2", "both")
	if got := master.do("ROLE"); !strings.HasPrefix(got, "slave") {
		t.Errorf("the old master: %q", got)
	}
}

// TestSentinelNamesReplica checks that a server that a sentinel has named, but that
// is no master, is not used.
func TestSentinelNamesReplica(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	replica := newServer(t, "--replicaof", "127.0.0.1", "1")
	sentinel := impostor(t, func(c net.Conn) bool {
		port := fmt.Sprint(replica.port)
		_, err := fmt.Fprintf(c, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len(port), port)
		return err == nil
	})
	h := b.open("t", "mode = sentinel\nsentinel_master = mail\nhosts = "+sentinel+"\n", maptypes.ReadOnly)
	b.wantRetry(h, "a")
	want := "connect to redis server mail at " + sentinel + ": master " + replica.address() + ": the server is not the master"
	if log := b.takeLog(); len(log) != 1 || log[0] != want {
		t.Errorf("log %q, want %q", log, want)
	}
	replica.do("REPLICAOF", "NO", "ONE")
	b.eventually(h, "a", "-")
}

// newCluster starts a cluster of three masters.
func newCluster(t testing.TB) (nodes []*server, hosts string) {
	t.Helper()
	for range 3 {
		n := newServer(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(freePort(t)), "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no",
		}, durable...)...)
		nodes = append(nodes, n)
		hosts += n.address() + " "
	}
	for i, n := range nodes {
		n.do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*5461), fmt.Sprint([]int{5460, 10921, 16383}[i]))
		n.do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
	}
	for _, n := range nodes[1:] {
		nodes[0].do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(n.port), n.args[slices.Index(n.args, "--cluster-port")+1])
	}
	for _, n := range nodes {
		n.wait("the cluster to form", func() bool {
			info := n.do("CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") &&
				strings.Contains(info, "cluster_slots_ok:16384")
		})
	}
	return nodes, hosts
}

func TestCluster(t *testing.T) {
	t.Parallel()
	testenv.Require(t, testenv.Redis)
	b := newBench(t)
	nodes, hosts := newCluster(t)
	settings := "mode = cluster\nlookup_timeout = 2\nkey_format = cache:%s\nhosts = 127.0.0.1:1 " + hosts + "\n"
	h := b.open("t", settings, maptypes.Create)
	const n = 300
	for i := range n {
		if err := put(h, fmt.Sprint("k", i), fmt.Sprint(i), 0); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range nodes {
		if size := node.do("DBSIZE"); size == "0" {
			t.Errorf("node %d is empty", i)
		}
	}
	check := func() {
		t.Helper()
		keys, values, err := list(h, nil)
		if err != nil || len(keys) != n || len(values) != n {
			t.Errorf("sequence: %d entries, %d different ones, %v", len(keys), len(values), err)
		}
		for i := range n {
			b.want(h, fmt.Sprint("k", i), fmt.Sprint(i))
			if values[fmt.Sprint("k", i)] != fmt.Sprint(i) {
				t.Errorf("sequence: k%d is %q", i, values[fmt.Sprint("k", i)])
			}
		}
	}
	check()
	b.want(h, "nobody", "-")
	fields := b.open("f", "mode = cluster\nhosts = "+hosts+"\nkey_format = hash\nfield_format = %s\n", maptypes.Create)
	for i := range 10 {
		if err := put(fields, fmt.Sprint(i), "x", 0); err != nil {
			t.Error(err)
		}
	}
	if keys, _, err := list(fields, nil); err != nil || len(keys) != 10 {
		t.Errorf("fields: %q %v", keys, err)
	}
	if err := del(fields, "3"); err != nil {
		t.Error(err)
	}
	if err := del(fields, "3"); err != maptypes.ErrNotFound {
		t.Errorf("delete again: %v", err)
	}

	// What the other nodes have is found while one is down.
	nodes[1].kill()
	found, retries := 0, 0
	for i := 0; i < n; i += 5 {
		switch got, err := get(h, fmt.Sprint("k", i)); {
		case err == nil && got == fmt.Sprint(i):
			found++
		case maptypes.Class(err) == maptypes.ErrRetry:
			retries++
		default:
			t.Errorf("lookup of k%d: %q %v", i, got, err)
		}
	}
	if found < n/15 || retries < n/30 {
		t.Errorf("with two of three nodes: %d found, %d retries", found, retries)
	}
	if _, _, err := list(h, nil); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("sequence with two of three nodes: %v", err)
	}
	nodes[1].start()
	for i := range n {
		b.eventually(h, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	check()

	// No node: one line in the log, not one for each lookup.
	for _, node := range nodes {
		node.kill()
	}
	b.takeLog()
	for range 20 {
		b.wantRetry(h, "k1")
	}
	if log := b.takeLog(); len(log) > 3 {
		t.Errorf("log %q", log)
	}
	for _, node := range nodes {
		node.start()
	}
	b.eventually(h, "k1", "1")
	if err := put(h, "k1", "new", maptypes.FlagDupReplace); err != nil {
		t.Error(err)
	}
}

// TestFrozenClusterNode checks that a node that does not answer costs only those
// who ask it.
func TestFrozenClusterNode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	nodes, hosts := newCluster(t)
	h := b.open("t", "mode = cluster\nlookup_timeout = 1\nhosts = "+hosts+"\n", maptypes.Create)
	for i := range 30 {
		b.eventuallyPut(h, fmt.Sprint("k", i), "x")
	}
	on := map[bool]string{} // a key on node 2, and one elsewhere
	for i := range 30 {
		key := fmt.Sprint("k", i)
		_, err := nodes[2].try("-e", "GET", key)
		on[err == nil] = key
	}
	nodes[2].freeze()
	for range 2 {
		b.wantRetry(h, on[true])
		b.want(h, on[false], "x")
	}
	nodes[2].thaw()
	b.eventually(h, on[true], "x")
}
