package bdbmap

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadersLetWritersIn: readers that come one after the other do not keep the
// lock for ever.
func TestReadersLetWritersIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	writer, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	tryWrite := func() error { return syscall.Flock(int(writer.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

	synctest.Test(t, func(t *testing.T) {
		l := newSharedLock(file)
		lock := func() {
			if err := l.lock(context.Background()); err != nil {
				t.Error(err)
			}
		}
		lock()
		time.Sleep(maxHold / 2)
		lock() // joins the first
		if tryWrite() == nil {
			t.Error("a writer gets in while there are readers")
		}
		time.Sleep(maxHold)
		var late atomic.Bool
		go func() {
			lock()
			late.Store(true)
		}()
		synctest.Wait()
		l.unlock()
		synctest.Wait()
		if late.Load() {
			t.Error("a late reader joins those that have had the lock for long")
		}
		l.unlock()
		synctest.Wait()
		if err := tryWrite(); err != nil || late.Load() {
			t.Errorf("no writer gets in between readers: %v", err)
		}
		time.Sleep(time.Second)
		if late.Load() {
			t.Error("a reader does not wait for the writer")
		}
		if err := syscall.Flock(int(writer.Fd()), syscall.LOCK_UN); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if !late.Load() {
			t.Error("the late reader does not get the lock")
		}
		l.unlock()
		if err := tryWrite(); err != nil {
			t.Errorf("the lock is kept: %v", err)
		}
	})
}
