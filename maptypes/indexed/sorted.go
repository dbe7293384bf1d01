package indexed

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/indexed/spool"
)

// spoolUnit is the unit of positions in the file of a Sorted: it can have 64
// gigabytes.
const spoolUnit = 16

// Sorted collects the entries of a file that is best made in the order of its
// index: pages are then written once, one after the other. Entries that are more
// than fit into a few megabytes are in files without a name beside the file.
type Sorted struct {
	*spool.Spool
	dir  string
	file *os.File // nil as long as it is not needed
}

// NewSorted returns an empty list of entries for the file that is being made. Of
// duplicate keys it keeps the last entry with FlagDupReplace, else the first.
func NewSorted(a *Aside, flags maptypes.Flags) *Sorted {
	s := &Sorted{dir: filepath.Dir(a.path)}
	dups := spool.KeepFirst
	if flags&maptypes.FlagDupReplace != 0 {
		dups = spool.KeepLast
	}
	s.Spool = spool.New(func() (f *os.File, err error) {
		s.file, err = s.temp()
		return s.file, err
	}, spoolUnit, spoolUnit, dups)
	return s
}

// temp creates a file that nobody else sees, and that is gone when it is closed.
func (s *Sorted) temp() (*os.File, error) {
	// Without a name from the start, where the file system can do that.
	fd, err := unix.Open(s.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), s.dir), nil
	}
	f, err := os.CreateTemp(s.dir, ".postmap-*.tmp")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Each calls do with all entries in the order of rank; see spool.Spool.Sorted.
func (s *Sorted) Each(ctx context.Context, rank spool.Rank, do func(key, value []byte) error) error {
	return s.Sorted(ctx, rank, s.temp, do)
}

// Close gives the disk space back.
func (s *Sorted) Close() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
