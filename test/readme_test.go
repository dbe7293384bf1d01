package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestWorkerUnderExistingPostfix does what the README says about putting our worker under a running Postfix and taking
// it out again.
func TestWorkerUnderExistingPostfix(t *testing.T) {
	t.Parallel()
	pf := postfixtest.New(t)
	table := pf.WriteFile("users", "alice found\n")
	pf.SetMain("proxy_read_maps", "proxy:texthash:"+table)
	pf.SetMaster("proxymap unix - - n - - proxymap", "proxywrite unix - - n - 1 proxymap")
	pf.Start(postfixtest.PostfixMaster())
	answeredBy := func(command string) {
		t.Helper()
		r := pf.Postmap(theirs.postmap(t), "-q", "alice", "proxy:texthash:"+table)
		if r.Stdout != "found\n" || r.Exit != 0 {
			t.Errorf("lookup: %+v", r)
		}
		if len(pf.Workers(command, "proxymap")) == 0 {
			t.Errorf("no %s among %v", command, pf.Processes())
		}
	}
	answeredBy("proxymap")

	link := filepath.Join(pf.Daemons, "proxymapd")
	if err := os.Symlink(filepath.Join(testenv.Bin(t, "proxymap"), "proxymap"), link); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"proxymapd", "proxymap"} {
		r := pf.Run("", postfixtest.PostfixCommand("postconf"), "-F",
			"proxymap/unix/command="+command, "proxywrite/unix/command="+command)
		if r.Exit != 0 || r.Stderr != "" {
			t.Fatalf("postconf -F: %+v", r)
		}
		pf.Reload()
		answeredBy(command)
	}
	noTrouble(t, pf)
}

// TestPostfixCommand controls a master with Postfix's own postfix(1).
func TestPostfixCommand(t *testing.T) {
	t.Parallel()
	for _, m := range makers {
		t.Run("master="+string(m), func(t *testing.T) {
			t.Parallel()
			pf := postfixtest.New(t)
			pf.SetMaster("proxymap unix - - n - - proxymap")
			pf.Start(m.master(t))
			postfix := func(exit int, verb string) {
				t.Helper()
				if r := pf.Run("", postfixtest.PostfixCommand("postfix"), "-c", pf.Conf, verb); r.Exit != exit {
					t.Errorf("postfix %s: %+v", verb, r)
				}
			}
			postfix(0, "status")
			postfix(0, "reload")
			pf.WaitLog("reload -- version")
			postfix(0, "stop")
			pf.WaitExit()
			postfix(1, "status")
			if left := pf.Processes(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestReadmeTableOfParameters holds the README's table of our own parameters against what the programs know.
func TestReadmeTableOfParameters(t *testing.T) {
	t.Parallel()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) > 3 && strings.HasPrefix(cells[1], " `proxymapd_") {
			documented[strings.Trim(cells[1], " `")] = strings.TrimPrefix(strings.Trim(cells[2], " `"), "empty")
		}
	}
	pf := postfixtest.New(t, postfixtest.User(""))
	r := pf.Run("", filepath.Join(testenv.Bin(t, "postconf"), "postconf"), "-d")
	if r.Exit != 0 {
		t.Fatalf("postconf -d: %+v", r)
	}
	known := map[string]string{}
	for line := range strings.Lines(r.Stdout) {
		if name, value, ok := strings.Cut(line, " ="); ok && strings.HasPrefix(name, "proxymapd_") {
			known[name] = strings.TrimSpace(value)
		}
	}
	if len(known) == 0 {
		t.Error("postconf -d shows no parameter of ours")
	}
	for name, value := range known {
		if got, ok := documented[name]; !ok || got != value {
			t.Errorf("%s = %s is %q in the README", name, value, got)
		}
	}
	for name := range documented {
		if _, ok := known[name]; !ok {
			t.Errorf("the README has %s, which postconf -d does not show", name)
		}
	}
}
