package spool

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"io"
)

// readSize is the size in bytes of the buffer of a run that is in the file.
const readSize = 64 << 10

// run is a sorted part of the entries, in memory or in the file.
type run struct {
	rankOf Rank

	chunk []byte // in memory
	items []item

	part *io.SectionReader // in the file
	in   *bufio.Reader

	rank       uint64 // of the current entry
	key, value []byte
	record     []byte // that both are in, for a run in the file
}

// next makes the next entry the current one. The error at the end is io.EOF.
func (r *run) next() error {
	if r.part != nil {
		return r.read()
	}
	if len(r.items) == 0 {
		return io.EOF
	}
	it := r.items[0]
	r.items = r.items[1:]
	rec, _ := parse(r.chunk, int(it.start))
	r.rank, r.key, r.value = it.rank, rec.keyOf(r.chunk), rec.valueOf(r.chunk)
	return nil
}

// read reads the next entry from the file.
func (r *run) read() error {
	if r.in == nil {
		r.in = bufio.NewReaderSize(r.part, readSize)
	}
	head, err := r.in.Peek(headSize)
	if err != nil {
		if len(head) > 0 {
			return unexpected(err)
		}
		return err
	}
	key := headSize + int(le.Uint32(head))
	size := key + int(le.Uint32(head[4:]))
	if cap(r.record) < size {
		r.record = make([]byte, size+size/2)
	}
	rec := r.record[:size]
	if _, err := io.ReadFull(r.in, rec); err != nil {
		return unexpected(err)
	}
	r.key, r.value = rec[headSize:key], rec[key:]
	r.rank = r.rankOf(r.key)
	return nil
}

// before reports whether the current entry of r comes before that of other.
func (r *run) before(other *run) bool {
	if r.rank != other.rank {
		return r.rank < other.rank
	}
	return bytes.Compare(r.key, other.key) < 0
}

// queue is a heap of runs; the first has the first entry.
type queue []*run

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].before(q[j]) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*run)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// checkEvery is how many entries pass between looks at the context.
const checkEvery = 1024

// merge calls do with the entries of all runs in order.
func (g *sorter) merge(do func(key, value []byte) error) error {
	var q queue
	for _, r := range g.runs {
		if err := r.next(); err != nil {
			return unexpected(err) // a run is never empty
		}
		q = append(q, r)
	}
	heap.Init(&q)
	for n := 0; len(q) > 0; n++ {
		if n%checkEvery == 0 {
			if err := context.Cause(g.ctx); err != nil {
				return err
			}
		}
		first := q[0]
		if err := do(first.key, first.value); err != nil {
			return err
		}
		switch err := first.next(); err {
		case nil:
			heap.Fix(&q, 0)
		case io.EOF:
			heap.Pop(&q)
		default:
			return err
		}
	}
	return nil
}
