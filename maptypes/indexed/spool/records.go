package spool

import (
	"context"
	"io"
)

// chunkSize is the size in bytes of the part of the file that is in memory at once
// to be looked through or sorted.
const chunkSize = 8 << 20

// record is a record in a chunk.
type record struct {
	start, key, end int // of the record, its key's end, and its value's end
}

func (r record) keyOf(chunk []byte) []byte   { return chunk[r.start+headSize : r.key] }
func (r record) valueOf(chunk []byte) []byte { return chunk[r.key:r.end] }

// parse returns the record at the start of a part of a chunk, and false if its end
// is not in there.
func parse(chunk []byte, start int) (r record, ok bool) {
	if len(chunk)-start < headSize {
		return r, false
	}
	key, value := int(le.Uint32(chunk[start:])), int(le.Uint32(chunk[start+4:]))
	r = record{start, start + headSize + key, start + headSize + key + value}
	return r, r.end <= len(chunk)
}

// chunks calls do with parts of the file one after the other, from position pos
// on. It returns how many bytes of it do was done with, which are not passed again.
func (s *Spool) chunks(do func(chunk []byte, pos int64) (done int, err error)) error {
	if s.file == nil {
		_, err := do(s.buf, s.base)
		return err
	}
	if err := s.Flush(); err != nil {
		return err
	}
	s.buf = nil
	chunk := make([]byte, min(chunkSize, s.base-s.start))
	for pos := s.start; pos < s.base; {
		n := min(int64(len(chunk)), s.base-pos)
		if _, err := s.file.ReadAt(chunk[:n], pos); err != nil {
			return unexpected(err)
		}
		done, err := do(chunk[:n], pos)
		if err != nil {
			return err
		}
		if done == 0 { // a record that is larger than the chunk
			chunk = make([]byte, 2*len(chunk))
		}
		pos += int64(done)
	}
	return nil
}

// unexpected returns the error for a file that ends too early: somebody has
// truncated it.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// each calls do with all records of a chunk that are entries, and returns where the
// last record ends.
func (s *Spool) each(chunk []byte, pos int64, do func(record)) (done int) {
	for {
		r, ok := parse(chunk, done)
		next := s.align(r.end)
		if !ok || next > len(chunk) {
			return done
		}
		if !s.gaps || s.slot(chunk, pos, r) != nil {
			do(r)
		}
		done = next
	}
}

// position returns a position in the file in units.
func (s *Spool) position(pos int64) uint32 { return uint32(pos / int64(s.unit)) }

// align returns the position at or behind n where a record may start.
func (s *Spool) align(n int) int { return (n + s.unit - 1) / s.unit * s.unit }

// slot returns the slot of a record, or nil for one that was replaced.
func (s *Spool) slot(chunk []byte, pos int64, r record) *Slot {
	h := Hash(r.keyOf(chunk))
	at := Slot{h, s.position(pos + int64(r.start))}
	return s.index[h%Parts].exact(at)
}

// Compact closes the gaps that replaced records have left.
func (s *Spool) Compact() error {
	if !s.gaps {
		return nil
	}
	if err := s.Flush(); err != nil {
		return err
	}
	end := s.start
	err := s.chunks(func(chunk []byte, pos int64) (int, error) {
		kept, to := 0, end
		done := s.each(chunk, pos, func(r record) {
			// A position that is passed already tells no record that is still to come.
			s.slot(chunk, pos, r).Pos = s.position(to + int64(kept))
			kept += copy(chunk[kept:], chunk[r.start:s.align(r.end)])
		})
		end += int64(kept)
		_, err := s.file.WriteAt(chunk[:kept], to)
		return done, err
	})
	if err != nil {
		return err
	}
	s.base, s.gaps = end, false
	return s.file.Truncate(end)
}

// All calls do with all entries in the order in which they came. The slices that it
// gets are valid until it returns.
func (s *Spool) All(ctx context.Context, do func(key, value []byte) error) error {
	var failed error
	err := s.chunks(func(chunk []byte, pos int64) (int, error) {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		done := s.each(chunk, pos, func(r record) {
			if failed == nil {
				failed = do(r.keyOf(chunk), r.valueOf(chunk))
			}
		})
		return done, failed
	})
	return err
}
