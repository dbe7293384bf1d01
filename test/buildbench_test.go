package test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

const (
	buildLines  = 1_000_000
	buildRounds = 3
)

// BenchmarkBuild makes tables of a million lines with our postmap and Postfix's, in turn (make bench-build). The metrics
// are the medians of three rounds in seconds, and the ratio of ours to Postfix's.
func BenchmarkBuild(b *testing.B) {
	testenv.Require(b, testenv.Postfix)
	pf := postfixtest.New(b)
	commands := map[maker]string{
		ours:   filepath.Join(testenv.Bin(b, "postmap"), "postmap"),
		theirs: postfixtest.PostfixCommand("postmap"),
	}
	source := filepath.Join(b.TempDir(), "source")
	writeBuildSource(b, source)
	for _, typ := range []string{"cdb", "lmdb", "hash", "btree"} {
		b.Run(typ, func(b *testing.B) {
			for b.Loop() {
				times := map[maker][]time.Duration{}
				for range buildRounds {
					for _, who := range makers {
						times[who] = append(times[who], timeBuild(b, pf, commands[who], typ+":"+source))
					}
				}
				for _, who := range makers {
					slices.Sort(times[who])
				}
				mine, other := times[ours][buildRounds/2].Seconds(), times[theirs][buildRounds/2].Seconds()
				b.ReportMetric(mine, "s/ours")
				b.ReportMetric(other, "s/postfix")
				b.ReportMetric(mine/other, "ours/postfix")
			}
		})
	}
}

// writeBuildSource writes lines whose keys are in no order.
func writeBuildSource(b *testing.B, path string) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range buildLines {
		fmt.Fprintf(w, "user%d@example%d.com mailbox-%d@store%d.example.net\n", i*7919%buildLines, i%97, i, i%13)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
}

// timeBuild makes a table anew and returns how long that took.
func timeBuild(b *testing.B, pf *postfixtest.Instance, command, spec string) time.Duration {
	b.Helper()
	cmd := exec.Command(command, "-c", pf.Conf, spec)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		b.Fatalf("%s %s: %v: %s", command, spec, err, out)
	}
	return time.Since(start)
}
