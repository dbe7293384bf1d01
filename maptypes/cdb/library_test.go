package cdb_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	library "github.com/colinmarc/cdb"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cdb"
)

// hashZero is a key whose hash is 0. colinmarc/cdb takes its slot for an empty
// one, which is why the driver has a reader and a writer of its own.
const hashZero = "s9nrcue"

func testEnv(t testing.TB) *maptypes.Env {
	logf := func(format string, args ...any) { t.Logf(format, args...) }
	return &maptypes.Env{
		Registry: maptypes.NewRegistry(cdb.Driver),
		Param:    func(string) (string, bool) { return "", false },
		Infof:    logf, Warnf: logf, Errorf: logf,
	}
}

func entry(i int) (key, value []byte) {
	return fmt.Appendf(nil, "key%d", i), fmt.Appendf(nil, "value %d", i)
}

const entries = 10_000

// The library, which knows nothing of ours, finds all entries that ours writes.
func TestLibraryReadsOurFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	build, err := testEnv(t).Registry.Create(testEnv(t), "cdb:"+path, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		r := &maptypes.Request{}
		r.Key, r.Value = entry(i)
		if err := build.Add(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := build.Commit(); err != nil {
		t.Fatal(err)
	}
	db, err := library.Open(path + ".cdb")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i := range entries {
		key, want := entry(i)
		if got, err := db.Get(key); err != nil || string(got) != string(want) {
			t.Fatalf("%s: got %q, %v; want %q", key, got, err, want)
		}
	}
}

// Ours finds all entries that the library writes, and the one that the library
// itself does not find.
func TestOurReaderReadsLibrarysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	w, err := library.Create(path + ".cdb")
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		if err := w.Put(entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	// As the last entry it is not overwritten by another.
	if err := w.Put([]byte(hashZero), []byte("found")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := testEnv(t).Open("cdb:"+path, maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	check := func(key, want string) {
		t.Helper()
		r := &maptypes.Request{Key: []byte(key), Flags: h.Flags()}
		if got, err := h.Lookup(context.Background(), r); err != nil || string(got) != want {
			t.Fatalf("%s: got %q, %v; want %q", key, got, err, want)
		}
	}
	for i := range entries {
		key, want := entry(i)
		check(string(key), string(want))
	}
	check(hashZero, "found")
}
