package indexed_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// updaterVar makes the test binary a process that updates the table that the
// variable names, as long as it lives.
const updaterVar = "PROXYMAPD_TEST_UPDATER"

func TestMain(m *testing.M) {
	if spec := os.Getenv(updaterVar); spec != "" {
		os.Exit(update(spec, os.Getenv(updaterVar+"_NAME")))
	}
	os.Exit(m.Run())
}

// update stores value n under key "name-n%50" for n = 1, 2, ..., deletes now and
// then, and prints n after each acknowledgement.
func update(spec, name string) int {
	quiet := func(string, ...any) {}
	env := &maptypes.Env{
		Registry: registry,
		Param:    func(string) (string, bool) { return "", false },
		Infof:    quiet, Warnf: quiet, Errorf: quiet,
	}
	h, err := registry.Open(env, spec, maptypes.Create, fold)
	for n := 1; err == nil; n++ {
		if n%7 == 0 {
			if err = del(h, fmt.Sprintf("%s-%d", name, (n-1)%50)); err == maptypes.ErrNotFound {
				err = nil
			}
		} else {
			err = put(h, fmt.Sprintf("%s-%d", name, n%50), fmt.Sprintf("%d %s", n, strings.Repeat("x", n%900)))
		}
		if err == nil {
			_, err = fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// startUpdater starts such a process. The returned function kills it and returns
// the number of its last acknowledged update.
func startUpdater(t *testing.T, spec, name string) (kill func() int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), updaterVar+"="+spec, updaterVar+"_NAME="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(chan int, 1)
	first := make(chan struct{})
	go func() {
		last := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				last = n
			}
			if last == 1 {
				close(first)
			}
		}
		acknowledged <- last
	}()
	return func() int {
		<-first
		cmd.Process.Kill()
		last := <-acknowledged
		cmd.Wait()
		return last
	}
}

// TestKilledUpdatersLoseNothing kills processes at random moments while they
// update one table, and checks that every update they had acknowledged is there.
func TestKilledUpdatersLoseNothing(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		rounds := 12
		if testing.Short() {
			rounds = 3
		}
		for round := range rounds {
			names := []string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)}
			var kill []func() int
			for _, name := range names {
				kill = append(kill, startUpdater(t, typ+":"+w.path("t"), name))
			}
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			last := []int{kill[0](), kill[1]()}
			h := w.mustOpen(typ, "t", maptypes.ReadWrite, fold)
			for i, name := range names {
				checkUpdates(t, h, name, last[i])
			}
			if err := put(h, "after", fmt.Sprint(round)); err != nil {
				t.Fatal(err)
			}
			if log := w.logged(); log != "" {
				t.Error(log)
			}
		}
	})
}

// checkUpdates compares the table with what an updater has done up to its update
// number last. The one after that may or may not have been done.
func checkUpdates(t *testing.T, h *maptypes.Handle, name string, last int) {
	t.Helper()
	want := map[string]string{}
	apply := func(n int) (key string) {
		if n%7 == 0 {
			key = fmt.Sprintf("%s-%d", name, (n-1)%50)
			want[key] = "<not found>"
			return key
		}
		key = fmt.Sprintf("%s-%d", name, n%50)
		want[key] = fmt.Sprintf("%d %s", n, strings.Repeat("x", n%900))
		return key
	}
	for n := 1; n <= last; n++ {
		apply(n)
	}
	missing := 0
	for key, value := range want {
		if get(h, key) != value {
			missing++
		}
	}
	key := fmt.Sprintf("%s-%d", name, (last+1)%50)
	if (last+1)%7 == 0 {
		key = fmt.Sprintf("%s-%d", name, last%50)
	}
	before := want[key]
	apply(last + 1)
	if missing == 1 && get(h, key) == want[key] && before != want[key] {
		missing = 0 // done, but there was no time to say so
	}
	if missing > 0 {
		t.Errorf("%s: %d of %d acknowledged updates are lost or undone", name, missing, last)
	}
	t.Logf("%s: %d updates", name, last)
}
