package bdb_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/bdb"
)

// exercise does everything with a file that may be damaged. It fails if a walk
// goes on for ever.
func exercise(t testing.TB, content []byte, kind bdb.Kind) {
	t.Helper()
	size := func() (int64, error) { return int64(len(content)), nil }
	v, err := bdb.NewFile(bytes.NewReader(content), size, kind).View()
	if err != nil {
		known(t, err)
		return
	}
	known(t, v.Check())
	for _, key := range []string{"", "a\x00", "user17@example.com\x00", "few\x00", "many\x00", strings.Repeat("k", 6000) + "\x00"} {
		_, err := v.Get([]byte(key), nil)
		known(t, err)
	}
	var pos bdb.Position
	for n := 0; err == nil; n++ {
		if n > len(content) {
			t.Fatal("the sequence has no end")
		}
		_, _, err = v.Next(&pos, nil)
		known(t, err)
	}
}

// known fails unless the error is one that callers expect.
func known(t testing.TB, err error) {
	t.Helper()
	if err != nil && err != maptypes.ErrNotFound && !errors.Is(err, bdb.ErrDamaged) && !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("error %v", err)
	}
}

// corpus reads the files of the fuzz targets' seeds.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.db")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files in testdata: ", err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func kindOf(path string) bdb.Kind {
	if strings.Contains(path, "hash") {
		return bdb.Hash
	}
	return bdb.Btree
}

// TestDamage changes bytes at random places, more often where they matter.
func TestDamage(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for path, sound := range corpus(t) {
		pageSize := 1024
		if strings.Contains(path, "one") || strings.Contains(path, "mixed") {
			pageSize = 4096
		}
		for range 3000 {
			content := bytes.Clone(sound)
			for range 1 + rnd.IntN(4) {
				at := rnd.IntN(len(content))
				if rnd.IntN(3) > 0 { // the header of a page, or its index
					at = at/pageSize*pageSize + rnd.IntN(140)
				}
				content[at] = byte(rnd.Uint32())
			}
			exercise(t, content, kindOf(path))
		}
	}
}

// TestRingOfPages has the pages of a bucket follow themselves, or one before them.
func TestRingOfPages(t *testing.T) {
	for path, sound := range corpus(t) {
		if kindOf(path) != bdb.Hash {
			continue
		}
		order := binary.ByteOrder(binary.LittleEndian)
		if strings.Contains(path, "big-endian") {
			order = binary.BigEndian
		}
		pageSize := int(order.Uint32(sound[20:]))
		for page := 1; page < len(sound)/pageSize; page++ {
			for next := 1; next <= page; next++ {
				content := bytes.Clone(sound)
				order.PutUint32(content[page*pageSize+16:], uint32(next))
				exercise(t, content, bdb.Hash)
			}
		}
	}
}

// TestTruncation cuts a file off at every page, and elsewhere.
func TestTruncation(t *testing.T) {
	for path, sound := range corpus(t) {
		for n := 0; n < len(sound); n += 128 {
			exercise(t, sound[:n], kindOf(path))
		}
	}
}

// TestCheckFindsDamage changes what libdb must be able to trust.
func TestCheckFindsDamage(t *testing.T) {
	for path, sound := range corpus(t) {
		check := func(content []byte) error {
			size := func() (int64, error) { return int64(len(content)), nil }
			v, err := bdb.NewFile(bytes.NewReader(content), size, kindOf(path)).View()
			if err != nil {
				return err
			}
			return v.Check()
		}
		if strings.Contains(path, "dup") {
			if err := check(sound); err == nil {
				t.Errorf("%s: duplicates are not noticed", path)
			}
			continue
		}
		if err := check(sound); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		pageSize := 1024
		if strings.Contains(path, "one") || strings.Contains(path, "mixed") {
			pageSize = 4096
		}
		for page := pageSize; page < len(sound); page += pageSize {
			if sound[page+25] == 0 || sound[page+20]|sound[page+21] == 0 {
				continue // free, or for a bucket that is not used yet
			}
			for name, offset := range map[string]int{"number": 8, "next": 16, "type": 25} {
				if name == "next" && sound[page+25] == 3 { // of an inner page, which has no meaning
					continue
				}
				content := bytes.Clone(sound)
				content[page+offset] ^= 0x15
				if check(content) == nil {
					t.Errorf("%s: page %d: another %s is not noticed", path, page/pageSize, name)
				}
			}
		}
	}
}

func TestForeignFiles(t *testing.T) {
	files := corpus(t)
	for path, content := range files {
		other := bdb.Hash + bdb.Btree - kindOf(path)
		for _, content := range [][]byte{content, nil, []byte("text\n"), bytes.Repeat([]byte("text\n"), 1000)} {
			size := func() (int64, error) { return int64(len(content)), nil }
			_, err := bdb.NewFile(bytes.NewReader(content), size, other).View()
			var foreign bdb.ForeignError
			if !errors.As(err, &foreign) || !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s as %s, %d bytes: %v", path, other, len(content), err)
			}
		}
	}
}

// brokenReader fails like a disk.
type brokenReader struct{ io.ReaderAt }

func (r brokenReader) ReadAt(b []byte, offset int64) (int, error) {
	if offset > 0 {
		return 0, syscall.EIO
	}
	return r.ReaderAt.ReadAt(b, offset)
}

// TestReadErrors: an error of the disk is no damage, and not "not found".
func TestReadErrors(t *testing.T) {
	for path, content := range corpus(t) {
		size := func() (int64, error) { return int64(len(content)), nil }
		v, err := bdb.NewFile(brokenReader{bytes.NewReader(content)}, size, kindOf(path)).View()
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Get([]byte("a\x00"), nil)
		if !errors.Is(err, syscall.EIO) || errors.Is(err, bdb.ErrDamaged) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzFile reads any file as both kinds.
func FuzzFile(f *testing.F) {
	for _, content := range corpus(f) {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		exercise(t, content, bdb.Hash)
		exercise(t, content, bdb.Btree)
	})
}

// TestCorpusAgainstPostfix keeps the files of testdata honest.
func TestCorpusAgainstPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	for path, content := range corpus(t) {
		table := filepath.Join(tempDir(t), "t")
		if err := os.WriteFile(table+".db", content, 0o644); err != nil {
			t.Fatal(err)
		}
		compare(t, table, kindOf(path))
	}
}
