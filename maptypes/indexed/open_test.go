package indexed_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestOpenErrors(t *testing.T) {
	w := newWorld(t)
	w.write("garbage.cdb", "garbage")
	w.write("garbage.lmdb", "garbage")
	w.write("garbage.bolt", "garbage")
	w.write("empty.cdb", "")
	w.write("empty.lmdb", "")
	w.write("empty.bolt", "")
	w.write("zero.cdb", strings.Repeat("\xff", 5000))
	w.write("zero.lmdb", strings.Repeat("\x00", 20000))
	w.write("zero.bolt", strings.Repeat("\x00", 20000))
	open := "open database " + w.dir
	initialize := "dict_cdbq_open: unable to init " + w.dir
	for spec, want := range map[string]string{
		"cdb:none":      open + "/none.cdb: No such file or directory",
		"lmdb:none":     open + "/none.lmdb: No such file or directory",
		"bolt:none":     open + "/none.bolt: No such file or directory",
		"cdb:none/x":    open + "/none/x.cdb: No such file or directory",
		"lmdb:file/x":   open + "/file/x.lmdb: Not a directory",
		"cdb:garbage":   initialize + "/garbage.cdb: Protocol error",
		"lmdb:garbage":  open + "/garbage.lmdb: MDB_INVALID: File is not an LMDB file",
		"bolt:garbage":  open + "/garbage.bolt: invalid database",
		"cdb:empty":     initialize + "/empty.cdb: Protocol error",
		"lmdb:empty":    open + "/empty.lmdb: No such file or directory",
		"bolt:empty":    open + "/empty.bolt: No such file or directory",
		"cdb:zero":      initialize + "/zero.cdb: Protocol error",
		"lmdb:zero":     open + "/zero.lmdb: MDB_INVALID: File is not an LMDB file",
		"bolt:zero":     open + "/zero.bolt: invalid database",
		"lmdb:dir":      open + "/dir.lmdb: Is a directory",
		"bolt:dir":      open + "/dir.bolt: Is a directory",
		"lmdb:none/x":   open + "/none/x.lmdb: No such file or directory",
		"w:cdb:none":    "unsupported non-bulk change request",
		"w:lmdb:none":   open + "/none.lmdb: No such file or directory",
		"w:bolt:none":   open + "/none.bolt: No such file or directory",
		"w:lmdb:zero":   open + "/zero.lmdb: MDB_INVALID: File is not an LMDB file",
		"w:bolt:zero":   open + "/zero.bolt: invalid database",
		"c:lmdb:none/x": open + "/none/x.lmdb: No such file or directory",
		"c:bolt:none/x": open + "/none/x.bolt: No such file or directory",
	} {
		w.write("file", "")
		os.Mkdir(w.path("dir.lmdb"), 0o755)
		os.Mkdir(w.path("dir.bolt"), 0o755)
		mode := maptypes.ReadOnly
		spec, write := strings.CutPrefix(spec, "w:")
		spec, create := strings.CutPrefix(spec, "c:")
		if write {
			mode = maptypes.ReadWrite
		}
		if create {
			mode = maptypes.Create
		}
		typ, name, _ := strings.Cut(spec, ":")
		if typ == "lmdb" && mode.Writable() && !lmdbWrites {
			continue
		}
		h, err := w.open(typ, name, mode, fold)
		if err == nil {
			h.Close()
			t.Errorf("%s: opened", spec)
		} else if err.Error() != want {
			t.Errorf("%s (mode %d):\n%v, want\n%s", spec, mode, err, want)
		}
		if missing := strings.HasSuffix(want, "No such file or directory"); errors.Is(err, fs.ErrNotExist) != missing {
			t.Errorf("%s: errors.Is(%v, ErrNotExist) is %v", spec, err, !missing)
		}
	}
}

// TestTruncatedFiles cuts files in the middle of their entries.
func TestTruncatedFiles(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		content := sample(t, typ)
		w := newWorld(t)
		w.write("t."+typ, string(content))
		h := w.mustOpen(typ, "t", maptypes.ReadOnly, fold)
		if err := os.Truncate(w.path("t."+typ), int64(len(content)/3)); err != nil {
			t.Fatal(err)
		}
		failed := 0
		for i := 0; i < damagedEntries; i += 10 {
			r := &maptypes.Request{Key: []byte(sampleKey(i)), Flags: h.Flags()}
			_, err := h.Lookup(t.Context(), r)
			switch {
			case maptypes.Class(err) == maptypes.ErrConfig:
				failed++
			case err == maptypes.ErrNotFound:
				if i%100 != 1 { // sample has deleted these
					t.Errorf("%s is not found", r.Key)
				}
			case err != nil:
				t.Fatalf("%s: %v", r.Key, err)
			}
		}
		if typ == "cdb" && failed > 0 {
			t.Error("a small table is in memory, and does not know that the file is damaged")
		}
		if typ != "cdb" && failed == 0 {
			t.Error("no lookup says that the file is damaged")
		}
		if typ == "cdb" {
			if h, err := w.open(typ, "t", maptypes.ReadOnly, fold); err == nil {
				h.Close()
				t.Error("a truncated file can be opened")
			}
			return
		}
		if h, err := w.open(typ, "t", maptypes.ReadWrite, fold); err == nil {
			h.Close()
			t.Error("a truncated file can be opened for writing")
		} else if !strings.Contains(err.Error(), "database is damaged") {
			t.Errorf("open for writing: %v", err)
		}
	})
}

// TestStaleIndex checks the warning about a source that was changed later.
func TestStaleIndex(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		w.mustBuild(typ, "t", 0, "a", "1")
		want := "warning: database " + w.path("t."+typ) + " is older than source file " + w.path("t")
		for _, c := range []struct {
			index, source time.Duration // ages
			mode          maptypes.Mode
			warned        bool
		}{
			{300 * time.Second, 150 * time.Second, maptypes.ReadOnly, true},
			{300 * time.Second, 50 * time.Second, maptypes.ReadOnly, false},
			{150 * time.Second, 300 * time.Second, maptypes.ReadOnly, false},
			{300 * time.Second, 150 * time.Second, maptypes.ReadWrite, false},
		} {
			if typ == "cdb" && c.mode.Writable() {
				continue
			}
			w.write("t", "a 1\n")
			age(t, w.path("t"), c.source)
			age(t, w.path("t."+typ), c.index)
			w.mustOpen(typ, "t", c.mode, fold)
			if got := w.logged(); (got == want) != c.warned || got != "" && got != want {
				t.Errorf("%+v: logged %q", c, got)
			}
		}
	})
}

// age makes a file as old as that.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	when := time.Now().Add(-by)
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

// TestReplacedWhileOpen replaces files under open tables: reading and writing go
// on in the new file.
func TestReplacedWhileOpen(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		w.env.Daemon = true
		w.mustBuild(typ, "t", 0, "a", "old", "b", "old")
		mode := maptypes.ReadOnly
		if typ != "cdb" {
			mode = maptypes.Create
		}
		h := w.mustOpen(typ, "t", mode, fold)
		if got := get(h, "a"); got != "old" {
			t.Fatal(got)
		}
		for i := range 20 {
			want := fmt.Sprintf("new%d", i)
			w.mustBuild(typ, "t", 0, "a", want)
			if mode.Writable() {
				if err := put(h, "c", want); err != nil {
					t.Fatal(err)
				}
				if got := get(w.mustOpen(typ, "t", maptypes.ReadOnly, fold), "c"); got != want {
					t.Errorf("an update went into a file that was replaced: %q", got)
				}
			}
			if got := get(h, "a") + get(h, "b"); got != want+"<not found>" {
				t.Errorf("%q, want %q", got, want)
			}
		}
	})
}

// TestBuildLeavesTheOldTable checks what a build does before Commit, and Abort.
func TestBuildLeavesTheOldTable(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		w.mustBuild(typ, "t", 0, "a", "old")
		before, err := os.ReadFile(w.path("t." + typ))
		if err != nil {
			t.Fatal(err)
		}
		b, err := registry.Create(w.env, typ+":"+w.path("t"), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20000 {
			r := &maptypes.Request{Key: fmt.Appendf(nil, "k%d", i), Value: make([]byte, 500)}
			for j := range r.Value {
				r.Value[j] = 'v'
			}
			if err := b.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		after, err := os.ReadFile(w.path("t." + typ))
		if err != nil || string(after) != string(before) {
			t.Errorf("the old file has changed (%v)", err)
		}
		b.Abort()
		if names := dirNames(t, w.dir); names != "t."+typ {
			t.Errorf("after Abort there are %s", names)
		}
		if err := w.build(typ, "t", 0, "a", "1", "a", "2"); err == nil || !strings.HasSuffix(err.Error(), `/t: duplicate entry: "a"`) {
			t.Errorf("a duplicate: %v", err)
		}
		if names := dirNames(t, w.dir); names != "t."+typ {
			t.Errorf("after a failure there are %s", names)
		}
		// A leftover of a killed process is no obstacle, a trap is.
		w.write("t."+typ+".tmp", "leftover")
		w.mustBuild(typ, "t", 0, "a", "new")
		if got := get(w.mustOpen(typ, "t", maptypes.ReadOnly, 0), "a"); got != "new" {
			t.Errorf("%q", got)
		}
		if err := os.Symlink(w.write("victim", "precious"), w.path("t."+typ+".tmp")); err != nil {
			t.Fatal(err)
		}
		if err := w.build(typ, "t", 0, "a", "newer"); err == nil {
			t.Error("a link was followed")
		}
		if content, _ := os.ReadFile(w.path("victim")); string(content) != "precious" {
			t.Errorf("the target of a link holds %q", content)
		}
	})
}

func dirNames(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestBuildHonoursUmask: postmap gives a new file the mode of the source by its
// umask.
func TestBuildHonoursUmask(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		w := newWorld(t)
		for _, mask := range []int{0o022, 0o027, 0o077} {
			old := syscall.Umask(mask)
			err := w.build(typ, "t", 0, "a", "1")
			syscall.Umask(old)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(w.path("t." + typ))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := info.Mode(), fs.FileMode(0o644&^mask); got != want {
				t.Errorf("umask %o: mode %o, want %o", mask, got, want)
			}
			if err := os.Remove(w.path("t." + typ)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
