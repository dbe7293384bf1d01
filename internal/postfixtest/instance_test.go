package postfixtest

import (
	"path/filepath"
	"strings"
	"testing"
)

// startProxymap starts Postfix's master and Postfix's proxymap on a few tables.
func startProxymap(t *testing.T) *Instance {
	t.Helper()
	pf := New(t)
	table := pf.WriteFile("users", "alice found-alice\n")
	for _, kind := range []string{"cdb", "lmdb"} {
		if r := pf.Postmap(PostfixCommand("postmap"), kind+":"+table); r.Exit != 0 || r.Stderr != "" {
			t.Fatalf("postmap %s: %+v", kind, r)
		}
	}
	pf.SetMain("proxy_read_maps", "proxy:cdb:"+table+" proxy:lmdb:"+table+" proxy:texthash:"+table)
	pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
	pf.Start(PostfixMaster())
	return pf
}

func TestPostfixAnswersThroughProxymap(t *testing.T) {
	t.Parallel()
	pf := startProxymap(t)
	for _, kind := range []string{"cdb", "lmdb", "texthash"} {
		name := "proxy:" + kind + ":" + filepath.Join(pf.Tables, "users")
		r := pf.Postmap(PostfixCommand("postmap"), "-q", "alice", name)
		if r.Exit != 0 || r.Stdout != "found-alice\n" {
			t.Errorf("postmap -q alice %s: %+v", name, r)
		}
	}
	if workers := pf.Workers("proxymap", "proxymap"); len(workers) == 0 {
		t.Errorf("no worker among %v", pf.Processes())
	}
	if trouble := pf.Trouble(); len(trouble) > 0 {
		t.Errorf("warnings: %q", trouble)
	}
}

func TestStopEndsEveryProcess(t *testing.T) {
	t.Parallel()
	pf := startProxymap(t)
	pf.Postmap(PostfixCommand("postmap"), "-q", "alice", "proxy:cdb:"+filepath.Join(pf.Tables, "users"))
	if len(pf.Processes()) < 2 {
		t.Fatalf("only %v", pf.Processes())
	}
	pf.Stop()
	if left := pf.Processes(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	pf.Start(PostfixMaster()) // and the same instance starts again
}

func TestReloadSeesNewServices(t *testing.T) {
	t.Parallel()
	pf := startProxymap(t)
	pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap", "another unix - - n - - proxymap")
	pf.Reload()
	pf.Dial("another")
}

func TestChangesOfMainCF(t *testing.T) {
	t.Parallel()
	pf := New(t)
	get := func(name string) string {
		r := pf.Run("", PostfixCommand("postconf"), "-h", name)
		if r.Exit != 0 {
			t.Fatalf("postconf: %+v", r)
		}
		return strings.TrimSpace(r.Stdout)
	}
	pf.SetMain("max_use", "7")
	pf.SetMain("max_use", "8")
	if got := get("max_use"); got != "8" {
		t.Errorf("max_use is %q", got)
	}
	pf.UnsetMain("max_use")
	if got := get("max_use"); got != "100" {
		t.Errorf("max_use is %q", got)
	}
}
