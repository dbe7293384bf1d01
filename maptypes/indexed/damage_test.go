package indexed_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// damagedEntries are enough for a tree of three levels, with values outside it.
const damagedEntries = 1500

// sample returns the bytes of a table that has been changed after it was made,
// so that there are free pages.
func sample(t testing.TB, typ string) []byte {
	t.Helper()
	w := newWorld(t)
	var pairs []string
	for i := range damagedEntries {
		pairs = append(pairs, sampleKey(i), strings.Repeat("v", i%90))
	}
	w.mustBuild(typ, "t", 0, pairs...)
	if typ != "cdb" {
		h := w.mustOpen(typ, "t", maptypes.ReadWrite, 0)
		for i := 0; i < damagedEntries; i += 100 {
			if err := put(h, sampleKey(i), strings.Repeat("w", 20*i)); err != nil {
				t.Fatal(err)
			}
			if err := del(h, sampleKey(i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	content, err := os.ReadFile(w.path("t." + typ))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func sampleKey(i int) string { return fmt.Sprintf("key%06d@example.com", i*i) }

// exercise reads and changes a table that may be damaged in any way. Everything
// may fail; nothing may end the process, and a value may not be made up.
func exercise(t testing.TB, w *world, typ string) {
	mode := maptypes.ReadOnly
	if typ != "cdb" {
		mode = maptypes.ReadWrite
	}
	for _, mode := range []maptypes.Mode{maptypes.ReadOnly, mode} {
		h, err := w.open(typ, "t", mode, 0)
		if err != nil {
			continue
		}
		for i := 0; i < damagedEntries; i += 37 {
			get(h, sampleKey(i))
		}
		var c maptypes.Cursor
		r := &maptypes.Request{Flags: h.Flags()}
		for range 2 * damagedEntries {
			if _, _, err := h.Sequence(t.Context(), r, &c); err != nil {
				break
			}
		}
		if mode == maptypes.ReadWrite {
			for i := range 8 {
				putErr := put(h, sampleKey(i*150+3), strings.Repeat("n", i*700))
				delErr := del(h, sampleKey(i*170+5))
				if putErr == nil && delErr == nil && get(h, sampleKey(i*150+3)) != strings.Repeat("n", i*700) {
					t.Error("an update that was acknowledged is lost")
				}
			}
		}
		h.Close()
	}
	if log := w.logged(); strings.Contains(log, "panic") {
		t.Error(log)
	}
}

// TestDamagedFiles changes files at random places.
func TestDamagedFiles(t *testing.T) {
	forTypes(t, func(t *testing.T, typ string) {
		good := sample(t, typ)
		w := newWorld(t)
		rnd := rand.New(rand.NewPCG(3, uint64(len(typ))))
		rounds := 150
		if testing.Short() {
			rounds = 60
		}
		for round := range rounds {
			content := append([]byte(nil), good...)
			switch round % 5 {
			case 0: // one byte
				content[rnd.IntN(len(content))] ^= byte(1 + rnd.IntN(255))
			case 1: // the file ends early
				content = content[:rnd.IntN(len(content))]
			case 2: // a page is overwritten by another
				from, to := rnd.IntN(len(content)/4096)*4096, rnd.IntN(len(content)/4096)*4096
				copy(content[to:to+4096], good[from:])
			case 3: // zeroes
				at := rnd.IntN(len(content))
				clear(content[at:min(at+1+rnd.IntN(600), len(content))])
			case 4: // bytes where the structure is: at the start of a page
				at := rnd.IntN((len(content)+4095)/4096)*4096 + rnd.IntN(160)
				if at < len(content) {
					content[at] = byte(rnd.IntN(256))
				}
			}
			w.write("t."+typ, string(content))
			exercise(t, w, typ)
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
		}
	})
}

// FuzzDamagedFile overwrites a part of a file, and may cut it.
func FuzzDamagedFile(f *testing.F) {
	var good [][]byte
	for _, typ := range types {
		if typ == "lmdb" && !lmdbWrites {
			good = append(good, nil)
			continue
		}
		good = append(good, sample(f, typ))
	}
	f.Add(uint8(1), uint32(4096+12), []byte{0xff, 0xff}, uint32(0))
	f.Add(uint8(1), uint32(16+24), []byte{0, 0x10, 0, 0, 1}, uint32(0))
	f.Add(uint8(2), uint32(2*4096+8), []byte{1, 0, 2, 0}, uint32(0))
	f.Add(uint8(0), uint32(8), []byte{0, 0, 0, 0, 255}, uint32(4000))
	f.Fuzz(func(t *testing.T, which uint8, at uint32, patch []byte, cut uint32) {
		n := int(which) % len(types)
		if good[n] == nil {
			return
		}
		content := append([]byte(nil), good[n]...)
		copy(content[int(at)%len(content):], patch)
		content = content[:len(content)-int(cut)%len(content)]
		w := newWorld(t)
		w.write("t."+types[n], string(content))
		exercise(t, w, types[n])
	})
}
