package indexed_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bolt"
	"github.com/proxymapd/proxymapd/maptypes/indexed"
	"github.com/proxymapd/proxymapd/maptypes/lmdb"
)

// TestPostfixWaitsForOurLock holds the lock that our updates hold, and looks
// whether Postfix's reader waits for it.
func TestPostfixWaitsForOurLock(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	w := newWorld(t)
	path := w.write("t", "a 1\n")
	if _, log, code := w.postmap("", "lmdb:"+path); code != 0 {
		t.Fatal(log)
	}
	f, err := os.OpenFile(path+".lmdb", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := indexed.LockFcntl(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("postmap", "-q", "a", "lmdb:"+path)
	cmd.Env = testenv.PostfixEnv(t)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForWaiter(t, f)
	if err := indexed.UnlockFcntl(f); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != "1\n" {
		t.Errorf("postmap -q: %v, %q", err, out.String())
	}
}

// waitForWaiter returns when a process waits for a lock on the file.
func waitForWaiter(t *testing.T, f *os.File) {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	inode := fmt.Sprintf(":%d ", st.Ino)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		locks, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(locks)) {
			if strings.Contains(line, "->") && strings.Contains(line, inode) {
				return
			}
		}
	}
	t.Fatal("nobody waits for the lock")
}

// TestUpdatesWaitForOtherWriters holds the lock of another writer. Reads go on,
// an update waits until its deadline, and no longer.
func TestUpdatesWaitForOtherWriters(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		h := w.mustOpen(typ, "t", maptypes.Create, fold)
		if err := put(h, "a", "1"); err != nil {
			t.Fatal(err)
		}
		unlock := lockAsOther(t, typ, w.path("t."+typ))
		if got := get(h, "a"); got != "1" {
			t.Errorf("while another writer is busy: %q", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r := &maptypes.Request{Key: []byte("a"), Value: []byte("2"), Flags: h.Flags() | maptypes.FlagDupReplace}
		if err := h.Update(ctx, r); maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("update: %v, want class %v", err, maptypes.ErrRetry)
		}
		done := make(chan error)
		go func() { done <- put(h, "a", "3") }()
		select {
		case err := <-done:
			t.Fatalf("an update did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		unlock()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := get(h, "a"); got != "3" {
			t.Errorf("after all: %q", got)
		}
	})
}

// lockAsOther locks a file as another program does that writes to it.
func lockAsOther(t *testing.T, typ, path string) (unlock func()) {
	t.Helper()
	if typ == "bolt" {
		db, err := bbolt.Open(path, 0o644, nil)
		if err != nil {
			t.Fatal(err)
		}
		return func() { db.Close() }
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := indexed.LockFcntl(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

// TestManyAtOnce reads, lists and updates from many goroutines and handles.
func TestManyAtOnce(t *testing.T) {
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		var wait sync.WaitGroup
		for g := range 6 {
			h := w.mustOpen(typ, "t", maptypes.Create, fold)
			wait.Go(func() {
				for i := range 40 {
					key, value := fmt.Sprintf("k%d-%d", g, i), strings.Repeat("v", i*i*10)
					if err := put(h, key, value); err != nil {
						t.Errorf("put %s: %v", key, err)
					}
					if got := get(h, key); got != value {
						t.Errorf("%s: %d bytes, want %d", key, len(got), len(value))
					}
					if i%10 == 0 {
						list(t, h)
					}
				}
			})
		}
		wait.Wait()
		if got := strings.Count(list(t, w.mustOpen(typ, "t", maptypes.ReadOnly, fold)), "\n"); got != 240 {
			t.Errorf("%d entries, want 240", got)
		}
	})
}

// TestReplacedWhileWaiting replaces the file while an update waits for its lock.
// The update must not go into the file that nobody reads any more.
func TestReplacedWhileWaiting(t *testing.T) {
	drivers := map[string]maptypes.Driver{"lmdb": lmdb.Driver, "bolt": bolt.Driver}
	forWritable(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		w.mustBuild(typ, "t", 0, "a", "old")
		// The layers in front of the driver would open the file anew.
		o, err := drivers[typ].Open(w.env, w.path("t"), maptypes.ReadWrite, fold)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Table.Close()
		update := func(key string) error {
			r := &maptypes.Request{Key: []byte(key), Value: []byte("1"), Flags: o.Flags | maptypes.FlagDupReplace}
			return o.Table.(maptypes.Updater).Update(t.Context(), r)
		}
		if err := update("before"); err != nil {
			t.Fatal(err)
		}
		unlock := lockAsOther(t, typ, w.path("t."+typ))
		done := make(chan error)
		go func() { done <- update("during") }()
		time.Sleep(20 * time.Millisecond)
		w.mustBuild(typ, "t", 0, "a", "new")
		unlock()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		check := func(want string) {
			t.Helper()
			if got := list(t, w.mustOpen(typ, "t", maptypes.ReadOnly, fold)); got != want {
				t.Errorf("the table holds\n%swant\n%s", got, want)
			}
		}
		check("a\tnew\nduring\t1\n")
		w.mustBuild(typ, "t", 0, "a", "newer")
		if err := update("after"); err != nil {
			t.Fatal(err)
		}
		check("a\tnewer\nafter\t1\n")
	})
}
