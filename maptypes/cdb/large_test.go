package cdb_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cdb"
)

// largeEntries make a file that is too large to be copied.
const (
	largeEntries = 700
	largeValue   = 25_000
)

// largeEntry returns an entry whose value is full of its number.
func largeEntry(i int) (key, value []byte) {
	return fmt.Appendf(nil, "large%d", i), bytes.Repeat(fmt.Appendf(nil, "%05d", i), largeValue/5)
}

// build makes a table of n entries.
func build(t testing.TB, n int, entry func(int) (key, value []byte)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "table")
	b, err := testEnv(t).Registry.Create(testEnv(t), "cdb:"+path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := &maptypes.Request{}
		r.Key, r.Value = entry(i)
		if err := b.Add(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

// openDaemon opens a table that is opened anew when its file changes.
func openDaemon(t testing.TB, path string) *maptypes.Handle {
	t.Helper()
	env := testEnv(t)
	quiet := func(string, ...any) {}
	env.Daemon, env.LookInterval = true, time.Millisecond
	env.Infof, env.Warnf, env.Errorf = quiet, quiet, quiet
	h, err := env.Open("cdb:"+path, maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// ask looks for entry i and reports whether it was found. Anything but the right
// value and an error is a failure of the test.
func ask(t *testing.T, h *maptypes.Handle, r *maptypes.Request, i int) (found bool) {
	key, want := largeEntry(i)
	r.Key, r.Flags = append(r.Key[:0], key...), h.Flags()
	value, err := h.Lookup(context.Background(), r)
	if err == maptypes.ErrNotFound || err == nil && !bytes.Equal(value, want) {
		t.Errorf("%s: got %d bytes that begin with %.10q, %v", key, len(value), value, err)
	}
	return err == nil
}

// Clients ask a table while its file is truncated in place and written again.
func TestTruncatedUnderReaders(t *testing.T) {
	path := build(t, largeEntries, largeEntry)
	content, err := os.ReadFile(path + ".cdb")
	if err != nil {
		t.Fatal(err)
	}
	h := openDaemon(t, path)
	var stop atomic.Bool
	var hits, errs atomic.Int64
	var readers sync.WaitGroup
	for n := range 6 {
		readers.Go(func() {
			r := &maptypes.Request{}
			for i := n; !stop.Load(); i = (i + 7) % largeEntries {
				if ask(t, h, r, i) {
					hits.Add(1)
				} else {
					errs.Add(1)
				}
			}
		})
	}
	for hits.Load() == 0 { // on a busy machine they may all start late
		time.Sleep(time.Millisecond)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 40 {
		before := errs.Load()
		switch round % 4 {
		case 0: // cp
			err = os.WriteFile(path+".cdb", content, 0o644)
		case 1: // the hash tables lose their end
			err = cut(path+".cdb", content, len(content)-1-rnd.IntN(2*8*largeEntries), &errs)
		case 2: // whole pages are gone
			err = cut(path+".cdb", content, rnd.IntN(len(content))&^4095, &errs)
		default:
			err = cut(path+".cdb", content, rnd.IntN(len(content)), &errs)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d errors", round, errs.Load()-before)
	}
	stop.Store(true)
	readers.Wait()
	if hits.Load() == 0 || errs.Load() == 0 {
		t.Errorf("%d hits and %d errors", hits.Load(), errs.Load())
	}
	r := &maptypes.Request{}
	for i := range largeEntries {
		for deadline := time.Now().Add(time.Minute); !ask(t, h, r, i); {
			if time.Now().After(deadline) {
				t.Fatal("the table does not come back")
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// cut truncates the file, waits a moment for readers to fail, and writes again
// what it has lost.
func cut(path string, content []byte, size int, errs *atomic.Int64) error {
	if err := os.Truncate(path, int64(size)); err != nil {
		return err
	}
	for before, start := errs.Load(), time.Now(); errs.Load() == before && time.Since(start) < 20*time.Millisecond; {
		time.Sleep(100 * time.Microsecond)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(content[size:], int64(size))
	return err
}

// overwrite puts another large table in the place of the file at path, in place.
func overwrite(t *testing.T, path string) {
	t.Helper()
	other := build(t, largeEntries+300, func(i int) (key, value []byte) {
		_, value = largeEntry(i)
		return fmt.Appendf(nil, "other%d", i), value
	})
	content, err := os.ReadFile(other + ".cdb")
	if err == nil {
		err = os.WriteFile(path+".cdb", content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A table that was overwritten in place by another one answers from the new one.
func TestLargeOverwrittenInPlace(t *testing.T) {
	path := build(t, largeEntries, largeEntry)
	h := openDaemon(t, path)
	overwrite(t, path)
	r := &maptypes.Request{}
	for i := range largeEntries {
		r.Key, r.Flags = fmt.Appendf(r.Key[:0], "other%d", i), h.Flags()
		_, want := largeEntry(i)
		value, err := h.Lookup(context.Background(), r)
		for maptypes.Class(err) == maptypes.ErrRetry {
			value, err = h.Lookup(context.Background(), r)
		}
		if err != nil || !bytes.Equal(value, want) {
			t.Fatalf("%s: %v", r.Key, err)
		}
	}
}

// Before the table is opened anew, it does not take one file for the other.
func TestLargeBeforeReopening(t *testing.T) {
	path := build(t, largeEntries, largeEntry)
	opened, err := cdb.Driver.Open(testEnv(t), path, maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Table.Close()
	overwrite(t, path)
	for i := range largeEntries {
		r := &maptypes.Request{Flags: opened.Flags}
		r.Key, _ = largeEntry(i)
		if _, err := opened.Table.Lookup(t.Context(), r); maptypes.Class(err) != maptypes.ErrRetry {
			t.Fatalf("%s: %v", r.Key, err)
		}
	}
}

// BenchmarkLookup measures hits by several clients at once, in a file that is
// copied and in one that is mapped.
func BenchmarkLookup(b *testing.B) {
	small := func(i int) (key, value []byte) {
		return fmt.Appendf(nil, "user%06d@bench.example", i), fmt.Appendf(nil, "mailbox-%06d", i)
	}
	for _, n := range []int{20_000, 400_000} {
		h := openDaemon(b, build(b, n, small))
		keys := make([][]byte, 4096)
		for i := range keys {
			keys[i], _ = small(i * 7919 % n)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := &maptypes.Request{}
				for i := rand.IntN(len(keys)); pb.Next(); i++ {
					r.Key, r.Flags = append(r.Key[:0], keys[i%len(keys)]...), h.Flags()
					if _, err := h.Lookup(context.Background(), r); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
