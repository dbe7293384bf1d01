package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// What one entry may add to the memory of a build: a hash and a position, 8 bytes,
// in a hash table that is half full, while the garbage collector lets the heap be
// 1.5 times as large as what is in use. The rest is for buffers.
const (
	memoryPerEntry = 8 * 2 * 3 / 2
	memoryRest     = 8 << 20
)

// TestMemory: a table that has ten times the entries needs hardly more memory. Its
// source has 130 bytes for each.
func TestMemory(t *testing.T) {
	t.Parallel()
	const few, many = 100_000, 1_000_000
	postmap := plainPostmap(t)
	p := newPlace(t)
	writeLines(t, filepath.Join(p.dir, "few"), few)
	writeLines(t, filepath.Join(p.dir, "many"), many)
	for _, typ := range builtTypes() {
		if typ == "bolt" {
			continue // its library keeps the pages of a transaction
		}
		small := peakMemory(t, p.command(postmap, typ+":few"))
		large := peakMemory(t, p.command(postmap, typ+":many"))
		if limit := small + (many-few)*memoryPerEntry + memoryRest; large > limit {
			t.Errorf("%s: %d bytes for %d entries, %d for %d; at most %d are expected", typ, small, few, large, many, limit)
		}
		t.Logf("%s: %.1f and %.1f megabytes", typ, float64(small)/1e6, float64(large)/1e6)
		if got := p.succeed("", "-q", "user999999@example.com", typ+":many"); got == "" {
			t.Errorf("%s: the last entry is missing", typ)
		}
	}
}

// plainPostmap returns the path of the command without the race detector, which
// needs much more memory.
func plainPostmap(t *testing.T) string {
	t.Helper()
	if !strings.Contains(os.Getenv("GOFLAGS"), "-race") {
		return filepath.Join(testenv.Bin(t, "postmap"), "postmap")
	}
	path := filepath.Join(t.TempDir(), "postmap")
	if out, err := exec.Command("go", "build", "-race=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func writeLines(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		fmt.Fprintf(w, "user%d@example.com %0100d\n", i*7919%n, i)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// peakMemory runs a command and returns how many bytes of memory it had at most.
// (What wait4(2) says counts the memory of this process, too, because the command
// had it before it was executed.)
func peakMemory(t *testing.T, cmd *exec.Cmd) (peak int) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil || peak == 0 {
				t.Fatalf("%v: %s; peak %d", err, stderr.String(), peak)
			}
			return peak
		case <-time.After(2 * time.Millisecond):
			peak = max(peak, highWater(cmd.Process.Pid))
		}
	}
}

// highWater returns the peak of the memory of a process so far, or 0.
func highWater(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kilobytes, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return kilobytes << 10
}
