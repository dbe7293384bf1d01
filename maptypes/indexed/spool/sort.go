package spool

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
)

// Rank orders keys: by the number that it returns, and by their bytes where that
// is the same.
type Rank func(key []byte) uint64

// ByBytes is the order of the bytes of the keys.
func ByBytes(key []byte) uint64 {
	var b [8]byte
	copy(b[:], key)
	return uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 |
		uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
}

// item stands for a record of a chunk while that is sorted.
type item struct {
	rank  uint64
	start uint32
}

// sorter is one sorting of a Spool.
type sorter struct {
	ctx  context.Context
	rank Rank
	temp func() (*os.File, error)

	file  *os.File // of the runs
	write *bufio.Writer
	size  int64
	runs  []*run
	items []item
}

// Sorted calls do with all entries in the order of rank. What does not fit into
// memory is sorted in parts, which are written to a file that temp returns.
// Afterwards the list can be read again, but no entries can be added. The slices
// that do gets are valid until it returns.
func (s *Spool) Sorted(ctx context.Context, rank Rank, temp func() (*os.File, error), do func(key, value []byte) error) error {
	sorting := &sorter{ctx: ctx, rank: rank, temp: temp}
	defer sorting.close()
	total := s.End() - s.start
	if !s.gaps {
		s.index = [Parts]part{}
	}
	err := s.chunks(func(chunk []byte, pos int64) (int, error) {
		sorting.items = sorting.items[:0]
		done := s.each(chunk, pos, func(r record) {
			sorting.items = append(sorting.items, item{rank(r.keyOf(chunk)), uint32(r.start)})
		})
		return done, sorting.add(chunk, int64(done) == total)
	})
	if err != nil {
		return err
	}
	s.index = [Parts]part{}
	sorting.items = nil
	return sorting.merge(do)
}

// add sorts the items of a chunk, one run for each processor. If the chunk is the
// only one the runs stay in memory.
func (g *sorter) add(chunk []byte, only bool) error {
	if err := context.Cause(g.ctx); err != nil {
		return err
	}
	if len(g.items) == 0 {
		return nil
	}
	n := runtime.GOMAXPROCS(0)
	sorted := slices.Collect(slices.Chunk(g.items, (len(g.items)+n-1)/n))
	var all sync.WaitGroup
	for _, items := range sorted {
		all.Go(func() { sortItems(chunk, items) })
	}
	all.Wait()
	for _, items := range sorted {
		if only {
			items = slices.Clone(items)
			g.runs = append(g.runs, &run{rankOf: g.rank, chunk: chunk, items: items})
			continue
		}
		if err := g.spill(chunk, items); err != nil {
			return err
		}
	}
	return nil
}

func sortItems(chunk []byte, items []item) {
	slices.SortFunc(items, func(a, b item) int {
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		ra, _ := parse(chunk, int(a.start))
		rb, _ := parse(chunk, int(b.start))
		return bytes.Compare(ra.keyOf(chunk), rb.keyOf(chunk))
	})
}

// spill writes a run to the file.
func (g *sorter) spill(chunk []byte, items []item) (err error) {
	if g.file == nil {
		if g.file, err = g.temp(); err != nil {
			return err
		}
		g.write = bufio.NewWriterSize(g.file, bufferSize)
	}
	start := g.size
	for _, it := range items {
		r, _ := parse(chunk, int(it.start))
		n, err := g.write.Write(chunk[r.start:r.end])
		if err != nil {
			return err
		}
		g.size += int64(n)
	}
	if err := g.write.Flush(); err != nil {
		return err
	}
	part := io.NewSectionReader(g.file, start, g.size-start)
	g.runs = append(g.runs, &run{rankOf: g.rank, part: part})
	return nil
}

func (g *sorter) close() {
	if g.file != nil {
		g.file.Close()
	}
}
