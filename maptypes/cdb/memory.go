package cdb

import (
	"errors"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed/filemap"
)

// memory is a large file, mapped into memory, or nothing.
type memory struct {
	mapped *filemap.Map // nil if the file is not mapped
	mem    []byte
	tail   filemap.End
	fd     int
	mtime  unix.Timespec // of the file as it was opened
}

// brief is too short for a file to be truncated and made whole again, by several
// system calls. A lookup that took longer, because its thread had to wait, may have
// seen zeroes where the file ended meanwhile, and finds out by the file's time.
const brief = time.Microsecond

// processStart is what times count from.
var processStart = time.Now()

// mapFile maps the file, which had the given time of change before it was read.
// Where that is impossible it is read with pread(2). It returns errOverwritten if
// the file has changed meanwhile.
func (t *table) mapFile(mtime time.Time) error {
	m := filemap.New(t.file, t.size)
	if m == nil {
		return nil
	}
	t.memory = memory{mapped: m, mem: m.Bytes(), fd: int(t.file.Fd()), mtime: unix.NsecToTimespec(mtime.UnixNano())}
	if !t.findTail() || t.written() {
		return errors.Join(errOverwritten, t.unmap())
	}
	return nil
}

// findTail learns how to find out whether the file still reaches as far as now.
func (m *memory) findTail() (ok bool) {
	defer filemap.Recover(&ok, debug.SetPanicOnFault(true))
	m.tail = filemap.NewEnd(m.mem)
	return true
}

// unmap gives the memory back.
func (m *memory) unmap() error {
	mapped := m.mapped
	*m = memory{}
	if mapped == nil {
		return nil
	}
	return mapped.Close()
}

// written reports whether the file was written to since it was opened.
func (t *table) written() bool {
	var st unix.Stat_t
	err := unix.Fstat(t.fd, &st)
	return err != nil || st.Size != t.size || st.Mtim != t.mtime
}

// Get implements indexed.Getter.
func (t *table) Get(key, dst []byte) ([]byte, error) {
	if t.mem == nil {
		return t.reader.Get(key, dst)
	}
	start := time.Since(processStart)
	found, ok, err := t.quick(key, dst)
	if ok && time.Since(processStart)-start < brief {
		return found, err
	}
	if !ok {
		found, err = t.reader.Get(key, dst)
	}
	if (err == nil || err == maptypes.ErrNotFound) && t.written() {
		err = errOverwritten
	}
	return found, err
}

// errOverwritten passes when the table has been opened anew.
var errOverwritten = errors.New("the file has been overwritten")

// quick is Get without a system call. If ok is not set it knows no answer, and
// pread(2) will tell: the file has been truncated, or is damaged.
func (t *table) quick(key, dst []byte) (found []byte, ok bool, err error) {
	defer filemap.Recover(&ok, debug.SetPanicOnFault(true))
	found, err = t.inMemory(hash(key), key, dst)
	switch err {
	case nil, maptypes.ErrNotFound:
		return found, t.tail.There(t.mem), err
	default:
		return dst, err == errOverwritten, err
	}
}

// inMemory looks for the key and appends its value to dst.
func (t *table) inMemory(h uint32, key, dst []byte) ([]byte, error) {
	ht := t.tables[h%tables]
	if hashTableAt(t.mem[pointerSize*(h%tables):]) != ht {
		return dst, errOverwritten
	}
	if ht.slots == 0 {
		return dst, maptypes.ErrNotFound
	}
	slots := t.mem[ht.pos:][:int64(ht.slots)*slotSize]
	at := int(h/tables%ht.slots) * slotSize
	for range ht.slots {
		slot := slots[at : at+slotSize]
		pos := int64(le.Uint32(slot[4:]))
		if pos == 0 {
			return dst, maptypes.ErrNotFound
		}
		if le.Uint32(slot) == h {
			value, equal, err := t.valueAt(pos, key)
			if err != nil || equal {
				return append(dst, value...), err
			}
		}
		if at += slotSize; at == len(slots) {
			at = 0
		}
	}
	return dst, maptypes.ErrNotFound
}

// valueAt returns the value of the record at pos, in memory, if it is one of the
// key.
func (t *table) valueAt(pos int64, key []byte) (value []byte, equal bool, err error) {
	if pos+recordHead > t.end {
		return nil, false, errDamaged
	}
	r, err := t.head(pos, t.mem[pos:])
	if err != nil || string(t.mem[r.keyPos():r.valuePos()]) != string(key) {
		return nil, false, err
	}
	return t.mem[r.valuePos():r.next()], true, nil
}
