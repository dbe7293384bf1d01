package indexed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
)

// FileMode is the mode of new index files, before the umask. postmap(1) sets the
// umask, and the user, so that the file gets what the source has.
const FileMode = 0o644

// Aside is a file that is being made to replace another: X.tmp for X. It is
// locked, so that two programs take turns.
type Aside struct {
	File *os.File // empty, open for reading and writing
	path string   // of the file to replace
	temp string   // of File
}

// OpenAside creates the file that is to replace the one at path. It waits while
// somebody else does that and has the lock.
func OpenAside(path string, lock func(context.Context, *os.File) error) (*Aside, error) {
	a := &Aside{path: path, temp: path + ".tmp"}
	for {
		// A link in a directory that others may write to is not followed.
		f, err := os.OpenFile(a.temp, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, FileMode)
		if err != nil {
			return nil, OpenError(a.temp, err)
		}
		if err := lock(context.Background(), f); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", a.temp, maptypes.SystemError(err))
		}
		// Whoever had the lock has renamed the file, or removed it.
		if !IsAt(f, a.temp) {
			f.Close()
			continue
		}
		a.File = f
		if err := f.Truncate(0); err != nil {
			a.Abort()
			return nil, fmt.Errorf("truncate %s: %w", a.temp, maptypes.SystemError(err))
		}
		return a, nil
	}
}

// KeepOwner gives the new file the owner and the permissions of the one that it
// replaces, as if that were written in place. It is called while the new file is
// empty.
func (a *Aside) KeepOwner() error {
	old, err := os.Stat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return OpenError(a.path, err)
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := a.File.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("keep the owner of database %s: %w", a.path, maptypes.SystemError(err))
		}
	}
	if err := a.File.Chmod(old.Mode().Perm()); err != nil {
		return fmt.Errorf("keep the permissions of database %s: %w", a.path, maptypes.SystemError(err))
	}
	return nil
}

// TempPath returns the path of the file under construction.
func (a *Aside) TempPath() string { return a.temp }

// InPlace reports whether the path of the file under construction still names
// it.
func (a *Aside) InPlace() bool { return IsAt(a.File, a.temp) }

// Sync makes the content of the new file durable. Commit does it too, and has
// little left to do then.
func (a *Aside) Sync() error {
	if err := a.File.Sync(); err != nil {
		return fmt.Errorf("finish database %s: %w", a.temp, maptypes.SystemError(err))
	}
	return nil
}

// Commit makes the new file durable and puts it in the place of the old one.
func (a *Aside) Commit() error {
	defer a.close()
	if err := a.Sync(); err != nil {
		os.Remove(a.temp)
		return err
	}
	if err := os.Rename(a.temp, a.path); err != nil {
		os.Remove(a.temp)
		return fmt.Errorf("rename database from %s to %s: %w", a.temp, a.path, maptypes.SystemError(err))
	}
	return SyncDir(a.path)
}

// Abort removes the new file. After Commit it does nothing.
func (a *Aside) Abort() {
	if a.File != nil {
		os.Remove(a.temp)
		a.close()
	}
}

// close gives the lock back.
func (a *Aside) close() {
	a.File.Close()
	a.File = nil
}

// IsAt reports whether f is the file that path names.
func IsAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// SyncDir makes the name of the file at path durable. A directory that may be
// searched and not read cannot be synced: that is no error.
func SyncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, maptypes.SystemError(err))
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, maptypes.SystemError(err))
	}
	return nil
}
