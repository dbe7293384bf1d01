package pagetree

import (
	"bytes"
	"runtime/debug"
	"sync"

	"golang.org/x/sys/unix"
)

// metas are the two meta pages, mapped into memory: whoever commits changes them,
// and looking at them takes no system call. Nothing else of the file is mapped.
//
// Where the file ends, touching the memory is a fault, which counts as a change.
type metas struct {
	once   sync.Once
	mapped []byte // nil if that failed
}

// metaBytes is how much of each meta page either format uses, and maxPage the size
// of the largest page, behind which the second one lies.
const (
	metaBytes = 152
	maxPage   = 1 << 16
)

// open maps the pages, once. A file that cannot be mapped is read without this.
func (m *metas) open(fd int) {
	m.once.Do(func() {
		m.mapped, _ = unix.Mmap(fd, 0, maxPage+metaBytes, unix.PROT_READ, unix.MAP_SHARED)
	})
}

// close unmaps the pages. Nobody may be looking at them.
func (m *metas) close() (err error) {
	m.once.Do(func() {})
	if m.mapped != nil {
		err = unix.Munmap(m.mapped)
		m.mapped = nil
	}
	return err
}

// read returns a copy of both meta pages of a file with the given page size, or nil.
func (m *metas) read(fd, pageSize int) (copied []byte) {
	m.open(fd)
	if m.mapped == nil || pageSize > maxPage {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			copied = nil
		}
	}()
	copied = append(make([]byte, 0, 2*metaBytes), m.mapped[:metaBytes]...)
	return append(copied, m.mapped[pageSize:pageSize+metaBytes]...)
}

// equal reports whether the meta pages are those that read has returned.
func (m *metas) equal(copied []byte, pageSize int) (same bool) {
	if copied == nil {
		return false
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return bytes.Equal(m.mapped[:metaBytes], copied[:metaBytes]) &&
		bytes.Equal(m.mapped[pageSize:pageSize+metaBytes], copied[metaBytes:])
}
