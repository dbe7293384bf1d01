package spool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// entry is one entry as the test expects it.
type entry struct{ key, value string }

// model is a list of entries that is easy to understand.
type model struct {
	dups    Duplicates
	entries []entry
}

func (m *model) put(key, value string) (exists bool) {
	at := slices.IndexFunc(m.entries, func(e entry) bool { return e.key == key })
	if at >= 0 && m.dups == KeepFirst {
		return true
	}
	if at >= 0 && m.dups == KeepLast {
		m.entries = slices.Delete(m.entries, at, at+1)
	}
	m.entries = append(m.entries, entry{key, value})
	return false
}

// files makes files in a directory of the test.
func files(t *testing.T) func() (*os.File, error) {
	dir, n := t.TempDir(), 0
	return func() (*os.File, error) {
		n++
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(n)))
		if err == nil {
			t.Cleanup(func() { f.Close() })
		}
		return f, err
	}
}

// collected returns what a method calls its function with.
func collected(t *testing.T, each func(do func(key, value []byte) error) error) []entry {
	t.Helper()
	var got []entry
	if err := each(func(key, value []byte) error {
		got = append(got, entry{string(key), string(value)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func byKey(entries []entry) []entry {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	return entries
}

// size is how large the values of a list are: it stays in the buffer, is written in
// part, is more than one chunk, or has a record that is larger than that.
var sizes = map[string]struct{ entries, value int }{
	"buffer": {300, 20}, "file": {3000, 400}, "chunks": {3000, 9000}, "large": {3, 2*chunkSize + 5},
}

// fillBoth puts the same random entries, with duplicates and with keys that have
// one hash, into a list and its model.
func fillBoth(t *testing.T, s *Spool, m *model, entries, value int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, uint64(entries+value)))
	for i := range entries {
		// Among keys of two bytes some have the same hash; longer ones have
		// room for more.
		key := string([]byte{byte(rnd.Uint32()), byte(rnd.Uint32N(8))})
		if i%3 == 0 {
			key = fmt.Sprintf("key %d %s", rnd.IntN(entries), bytes.Repeat([]byte("k"), rnd.IntN(300)))
		}
		text := string(bytes.Repeat([]byte{byte(i)}, value/2+rnd.IntN(value)))
		got, err := s.Put([]byte(key), []byte(text))
		if want := m.put(key, text); err != nil || got != want {
			t.Fatalf("entry %d: %v, %v; want %v", i, got, err, want)
		}
	}
}

func forAll(t *testing.T, test func(t *testing.T, s *Spool, m *model)) {
	for name, size := range sizes {
		for _, unit := range []int{1, 16} {
			for _, dups := range []Duplicates{KeepFirst, KeepLast, KeepAll} {
				t.Run(fmt.Sprintf("%s/%d/%d", name, unit, dups), func(t *testing.T) {
					s, m := New(files(t), 2048, unit, dups), &model{dups: dups}
					fillBoth(t, s, m, size.entries, size.value)
					if s.Len() != len(m.entries) {
						t.Errorf("%d entries, want %d", s.Len(), len(m.entries))
					}
					test(t, s, m)
				})
			}
		}
	}
}

func TestAll(t *testing.T) {
	forAll(t, func(t *testing.T, s *Spool, m *model) {
		got := collected(t, func(do func(key, value []byte) error) error { return s.All(context.Background(), do) })
		if !slices.Equal(got, m.entries) {
			t.Errorf("%d entries, want %d", len(got), len(m.entries))
		}
	})
}

func TestSorted(t *testing.T) {
	forAll(t, func(t *testing.T, s *Spool, m *model) {
		if m.dups == KeepAll {
			return // equal keys have no order
		}
		got := collected(t, func(do func(key, value []byte) error) error {
			return s.Sorted(context.Background(), ByBytes, files(t), do)
		})
		if want := byKey(m.entries); !slices.Equal(got, want) {
			t.Errorf("%d entries, want %d", len(got), len(want))
		}
	})
}

// TestSortedByRank: the number comes before the bytes.
func TestSortedByRank(t *testing.T) {
	s, m := New(files(t), 16, 16, KeepFirst), &model{}
	fillBoth(t, s, m, 3000, 9000)
	rank := func(key []byte) uint64 { return uint64(Hash(key) % 16) }
	got := collected(t, func(do func(key, value []byte) error) error {
		return s.Sorted(context.Background(), rank, files(t), do)
	})
	want := byKey(m.entries)
	slices.SortStableFunc(want, func(a, b entry) int { return cmp.Compare(rank([]byte(a.key)), rank([]byte(b.key))) })
	if !slices.Equal(got, want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
}

// TestCompact: afterwards the file has the entries and nothing else, and the index
// knows where; and more can be added.
func TestCompact(t *testing.T) {
	forAll(t, func(t *testing.T, s *Spool, m *model) {
		if err := s.Compact(); err != nil {
			t.Fatal(err)
		}
		fillBoth(t, s, m, 200, 30)
		if err := errors.Join(s.Compact(), s.Flush()); err != nil {
			t.Fatal(err)
		}
		var want []byte
		for _, e := range m.entries {
			want = le.AppendUint32(want, uint32(len(e.key)))
			want = le.AppendUint32(want, uint32(len(e.value)))
			want = append(append(want, e.key...), e.value...)
			want = append(want, make([]byte, s.align(len(want))-len(want))...)
		}
		content, err := os.ReadFile(s.file.Name())
		if err != nil || s.End() != int64(2048+len(want)) || !bytes.Equal(content[2048:], want) {
			t.Fatalf("%d bytes, %v, want %d", len(content)-2048, err, len(want))
		}
		n := 0
		for i := range Parts {
			n += checkSlots(t, s.Slots(i), i, content, s.unit)
		}
		if n != len(m.entries) {
			t.Errorf("%d slots for %d entries", n, len(m.entries))
		}
	})
}

// checkSlots checks a part of the index against the file.
func checkSlots(t *testing.T, slots []Slot, i int, content []byte, unit int) int {
	t.Helper()
	last := uint32(0)
	for _, slot := range slots {
		r, ok := parse(content, int(slot.Pos)*unit)
		if !ok || Hash(r.keyOf(content)) != slot.Hash || int(slot.Hash%Parts) != i || slot.Pos <= last {
			t.Fatalf("part %d has the slot %+v behind position %d", i, slot, last)
		}
		last = slot.Pos
	}
	return len(slots)
}

// TestCancelled: the cause ends the work.
func TestCancelled(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	s := New(files(t), 16, 16, KeepFirst)
	fillBoth(t, s, &model{}, 100, 10)
	nothing := func(key, value []byte) error { return errors.New("called") }
	if err := s.All(ctx, nothing); err != cause {
		t.Error(err)
	}
	if err := s.Sorted(ctx, ByBytes, files(t), nothing); err != cause {
		t.Error(err)
	}
}

// TestFileErrors: what cannot be written or read is an error of the operation that
// needs it.
func TestFileErrors(t *testing.T) {
	s := New(func() (*os.File, error) { return os.Open(os.DevNull) }, 16, 16, KeepFirst)
	var err error
	for i := 0; err == nil && i < 2*bufferSize; i++ {
		_, err = s.Put(fmt.Append(nil, i), make([]byte, 1000))
	}
	if err == nil {
		t.Error("a file that is open for reading was written")
	}
	open := files(t)
	s = New(open, 16, 16, KeepFirst)
	fillBoth(t, s, &model{}, 3000, 400)
	if err := errors.Join(s.Flush(), s.file.Truncate(1000)); err != nil {
		t.Fatal(err)
	}
	if err := s.All(context.Background(), func(_, _ []byte) error { return nil }); err == nil {
		t.Error("a truncated file was read")
	}
}
