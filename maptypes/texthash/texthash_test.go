package texthash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// newEnv returns an environment with this driver, and its log.
func newEnv(daemon bool) (*maptypes.Env, func() string) {
	var mu sync.Mutex
	var log strings.Builder
	logf := func(level string) func(string, ...any) {
		return func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&log, level+": "+format+"\n", args...)
		}
	}
	env := &maptypes.Env{
		Registry: maptypes.NewRegistry(Driver),
		Infof:    logf("info"), Warnf: logf("warning"), Errorf: logf("error"),
		Daemon: daemon,
	}
	return env, func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	// A new file under the same name, as an editor leaves it.
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func lookup(h *maptypes.Handle, key string) string {
	value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte(key), Flags: h.Flags()})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(value)
}

func TestChangedFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t")
	write(t, path, "a 1\n")
	env, log := newEnv(true)
	h, err := env.Registry.Open(env, "texthash:"+path, maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got := lookup(h, "a"); got != "1" {
		t.Fatalf("got %q", got)
	}
	write(t, path, "a 2\nb 3\n")
	await(t, log, func() bool { return lookup(h, "a") == "2" })
	write(t, path, "a 4\na 5\n")
	await(t, log, func() bool {
		if got := lookup(h, "a"); got != "2" {
			t.Fatalf("with a duplicate in the new file: got %q, want the old answer", got)
		}
		return strings.Contains(log(), path+", line 2: duplicate entry: \"a\"")
	})
	write(t, path, "a 6\n")
	await(t, log, func() bool { return lookup(h, "a") == "6" })
}

// await waits for a table to be read again, which takes as long as it takes.
func await(t *testing.T, log func() string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the change was not seen; log:\n%s", log())
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, "long")
	write(t, long, "a b\n\nc "+strings.Repeat("x", 17<<20)+"\n")
	env, _ := newEnv(false)
	for _, tt := range []struct {
		name string
		mode maptypes.Mode
		want string
	}{
		{dir + "/none", maptypes.ReadOnly, "open database " + dir + "/none: No such file or directory"},
		{dir, maptypes.ReadOnly, "read " + dir + ": Is a directory"},
		{dir + "/none", maptypes.ReadWrite, "texthash:" + dir + "/none map requires O_RDONLY access mode"},
		{long, maptypes.ReadOnly, long + ", line 3: line too long (limit 16777216 bytes)"},
	} {
		_, err := env.Registry.Open(env, "texthash:"+tt.name, tt.mode, 0)
		if err == nil || err.Error() != tt.want {
			t.Errorf("open %s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestMemory holds the table to about the size of its text.
func TestMemory(t *testing.T) {
	const entries = 200_000
	path := filepath.Join(t.TempDir(), "t")
	var text strings.Builder
	for i := range entries {
		fmt.Fprintf(&text, "user%d@example.com mailbox%d@store.example.com\n", i, i)
	}
	write(t, path, text.String())
	env, _ := newEnv(false)
	opened, err := open(env, path, maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	entriesTable := opened.Table.(*table).entries
	if entriesTable.Len() != entries {
		t.Fatalf("%d entries, want %d", entriesTable.Len(), entries)
	}
	if most := text.Len() + 16*entries; entriesTable.Size() > most {
		t.Errorf("the table occupies %d bytes for %d bytes of text, want at most %d", entriesTable.Size(), text.Len(), most)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t")
	write(t, path, "key value\n")
	env, _ := newEnv(false)
	h, err := env.Registry.Open(env, "texthash:"+path, maptypes.ReadOnly, maptypes.FlagFoldFix)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r := &maptypes.Request{Key: []byte("KEY")}
	if n := testing.AllocsPerRun(100, func() {
		r.Flags = h.Flags()
		if _, err := h.Lookup(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a lookup", n)
	}
}

// FuzzLoad reads any text, and finds every entry that it lists.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("# comment\na b\n\"c d\" e f\n  g\nh\ni: j\nA b\n"), uint32(maptypes.FlagFoldFix|maptypes.FlagDupReplace))
	f.Add([]byte("\\ a b\n\"\nx\x00y z\n"), uint32(maptypes.FlagDupWarn))
	f.Fuzz(func(t *testing.T, text []byte, flags uint32) {
		path := filepath.Join(t.TempDir(), "t")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		env, _ := newEnv(false)
		fl := maptypes.Flags(flags) &^ maptypes.FlagSrcRHSIsFile
		opened, err := open(env, path, maptypes.ReadOnly, fl)
		if err != nil {
			if fl&(maptypes.FlagDupIgnore|maptypes.FlagDupReplace|maptypes.FlagDupWarn) != 0 {
				t.Fatal(err)
			}
			return
		}
		var c maptypes.Cursor
		tab := opened.Table.(*table)
		n := 0
		for {
			key, value, err := tab.Sequence(context.Background(), nil, &c)
			if err != nil {
				break
			}
			n++
			got, err := tab.Lookup(context.Background(), &maptypes.Request{Key: key})
			if err != nil || string(got) != string(value) {
				t.Fatalf("key %q: found %q, %v; listed %q", key, got, err, value)
			}
		}
		if n != tab.entries.Len() {
			t.Fatalf("%d entries listed, want %d", n, tab.entries.Len())
		}
	})
}
