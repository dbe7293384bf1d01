package cdb

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// slotsPerRecord is how many slots the hash tables have for each record.
const slotsPerRecord = 2

// writeTables writes what is not there yet of a file with all its records: the
// hash tables behind them, and the pointers at the start.
func writeTables(ctx context.Context, f *os.File, records *spool.Spool) error {
	pos := records.End()
	w := bufio.NewWriterSize(io.NewOffsetWriter(f, pos), 1<<16)
	header := make([]byte, 0, headerSize)
	var room []spool.Slot
	for i := range tables {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		used := records.Slots(i)
		header = le.AppendUint32(le.AppendUint32(header, uint32(pos)), uint32(slotsPerRecord*len(used)))
		room = fill(room, used)
		for _, s := range room {
			writePair(w, s.Hash, s.Pos)
		}
		pos += int64(len(room)) * slotSize
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := f.WriteAt(header, 0)
	return err
}

// fill returns the hash table for the slots in use, in room if it is large enough.
func fill(room, used []spool.Slot) []spool.Slot {
	n := slotsPerRecord * len(used)
	if cap(room) < n {
		room = make([]spool.Slot, n)
	}
	room = room[:n]
	clear(room)
	for _, s := range used {
		i := int(s.Hash / tables % uint32(n))
		for room[i].Pos != 0 {
			if i++; i == n {
				i = 0
			}
		}
		room[i] = s
	}
	return room
}

// writePair writes two numbers; the writer keeps the first error.
func writePair(w *bufio.Writer, a, b uint32) {
	w.Write(le.AppendUint32(le.AppendUint32(w.AvailableBuffer(), a), b))
}
