package filemap

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Map is a file in memory.
type Map struct{ mem []byte }

// ahead is up to which size in bytes a file is read into the page cache when it
// is mapped: a thread that waits for a page of a map runs no other goroutine.
const ahead = 64 << 20

// New maps size bytes of the file for reading. They may end behind the file: they
// are there when the file has grown. It returns nil where a map is impossible, or
// might wait for another machine; the file is to be read with pread(2) then.
func New(f *os.File, size int64) *Map {
	if size <= 0 || int64(int(size)) != size {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	var mem []byte
	control := raw.Control(func(fd uintptr) {
		if local(int(fd)) {
			mem, err = unix.Mmap(int(fd), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
		}
	})
	if control != nil || err != nil || mem == nil {
		return nil
	}
	if size <= ahead {
		_ = unix.Madvise(mem, unix.MADV_WILLNEED) // slower at worst
	}
	return &Map{mem}
}

// Bytes returns the memory. It is read in functions that defer Recover, and not
// after Close.
func (m *Map) Bytes() []byte { return m.mem }

// Close gives the memory back.
func (m *Map) Close() error { return unix.Munmap(m.mem) }

// onDisk are the file systems whose pages come from this machine, with the
// numbers of statfs(2). Another one may be a network's, and a page of it may
// never come.
var onDisk = []int64{
	unix.BTRFS_SUPER_MAGIC, unix.EXT4_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC,
	unix.RAMFS_MAGIC, unix.SQUASHFS_MAGIC, unix.TMPFS_MAGIC, unix.XFS_SUPER_MAGIC, zfsMagic,
}

const zfsMagic = 0x2fc12fc1

// local reports whether the file is on this machine.
func local(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && slices.Contains(onDisk, int64(st.Type))
}
