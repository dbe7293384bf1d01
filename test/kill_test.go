package test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
)

// TestKillLosesNoAcknowledgedUpdate kills proxywrite and the master with SIGKILL again and again while clients write and
// delete, and then reads the file with a program that has had no part in it: what was acknowledged must be there.
func TestKillLosesNoAcknowledgedUpdate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   string
		reader maker // whose postmap reads the file at the end
	}{{"lmdb", theirs}, {"bolt", ours}} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			testKill(t, c.kind, c.reader)
		})
	}
}

const (
	killWriters = 4
	killRounds  = 12 // in each third round the master is killed as well
)

func testKill(t *testing.T, kind string, reader maker) {
	pf := postfixtest.New(t, ours.worker(t))
	table := kind + ":" + pf.Tables + "/cache"
	pf.SetMain("proxy_write_maps", "proxy:"+table)
	pf.SetMaster("proxywrite unix - - n - 1 proxymap")
	pf.Start(ours.master(t))

	stop := make(chan struct{})
	stopWriters := sync.OnceFunc(func() { close(stop) })
	defer stopWriters()
	writers := make([]*killWriter, killWriters)
	results := make(chan error, killWriters)
	for n := range writers {
		writers[n] = &killWriter{pf: pf, table: table, name: fmt.Sprintf("writer%d", n), acked: map[string]string{}}
		go func() { results <- writers[n].run(stop) }()
	}
	killRepeatedly(t, pf, writers)
	stopWriters()
	for range writers {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	pf.Stop()
	r := pf.Postmap(reader.postmap(t), "-s", table)
	if r.Exit != 0 || r.Stderr != "" {
		t.Fatalf("postmap -s %s: exit %d, %s", table, r.Exit, r.Stderr)
	}
	found := map[string]string{}
	for line := range strings.Lines(r.Stdout) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		found[key] = value
	}
	for _, w := range writers {
		w.check(t, found)
	}
}

// killRepeatedly lets some updates pass before each kill, so that every round is one under load.
func killRepeatedly(t *testing.T, pf *postfixtest.Instance, writers []*killWriter) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for round := 1; round <= killRounds; round++ {
		for _, w := range writers {
			w.waitProgress(t, 5+random.IntN(40))
		}
		workers := pf.Workers("proxymap", "proxywrite")
		if len(workers) == 0 {
			t.Errorf("round %d: no worker", round)
		}
		for _, p := range workers {
			if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Error(err)
			}
		}
		if round%3 == 0 {
			pf.Kill()
			pf.Start(ours.master(t))
		}
	}
}
