package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// temporaryMode is the mode of a file that is being written: nobody else can open it and so hold its lock.
const temporaryMode = 0o600

// editFile replaces a file by what edit makes of its text, or leaves it as it is. The new text is written to path.tmp, the
// name and lock that Postfix's postconf uses, too: of several edits at the same time, none is lost. Like Postfix it
// replaces a symbolic link by a file. Unlike Postfix it keeps the owner, as far as that is allowed, and the mode.
func editFile(path string, edit func(text string) (string, error)) error {
	temporary := path + ".tmp"
	f, err := openLocked(temporary)
	if err != nil {
		return err
	}
	defer f.Close() // and unlock
	if err := replaceFile(path, f, edit); err != nil {
		_ = os.Remove(temporary) // if it stays, the next edit uses it again
		return err
	}
	syncDirectory(path)
	return nil
}

// openLocked opens and empties the temporary file, when no other program has it. What a crash left behind is used again.
func openLocked(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW, temporaryMode)
		if err != nil {
			return nil, fileError("open "+path, err)
		}
		usable, err := lock(f)
		if usable {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// lock waits for the lock. The file is not usable if it is not what the name stands for, or not as we would create it:
// after a system crash it can be main.cf under a second name.
func lock(f *os.File) (usable bool, err error) {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return false, fileError("lock "+f.Name(), err)
		}
	}
	opened, err := f.Stat()
	if err != nil {
		return false, fileError("open "+f.Name(), err)
	}
	named, err := os.Lstat(f.Name())
	if err != nil || !os.SameFile(opened, named) {
		return false, nil // whoever had the lock has finished
	}
	stat, ok := opened.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink > 1 || opened.Mode() != temporaryMode {
		if err := os.Remove(f.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, fileError("unlink "+f.Name(), err)
		}
		return false, nil
	}
	if err := f.Truncate(0); err != nil {
		return false, fileError("truncate "+f.Name(), err)
	}
	return true, nil
}

// replaceFile writes the edited text to the temporary file f and gives that the name of the original.
func replaceFile(path string, f *os.File, edit func(text string) (string, error)) error {
	text, info, err := readFile(path)
	if err != nil {
		return err
	}
	edited, err := edit(text)
	if err != nil {
		return err
	}
	if err := finishFile(f, edited, info); err != nil {
		return fileError("close "+f.Name(), err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fileError("close "+f.Name(), err)
	}
	return nil
}

// finishFile writes the text and makes it, the owner and the mode permanent.
func finishFile(f *os.File, text string, original os.FileInfo) error {
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if stat, ok := original.Sys().(*syscall.Stat_t); ok {
		// Only root can give files away; for others the file becomes their own, as with Postfix.
		if err := f.Chown(int(stat.Uid), int(stat.Gid)); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	if err := f.Chmod(original.Mode().Perm()); err != nil {
		return err
	}
	return f.Sync()
}

func readFile(path string) (string, os.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fileError("open "+path+" for reading", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", nil, fileError("read "+path, err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return "", nil, fileError("read "+path, err)
	}
	return string(text), info, nil
}

// fileError words an error as Postfix does: what was being done, and the system's message with a capital.
func fileError(doing string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	reason := errno.Error()
	return fmt.Errorf("%s: %s%s", doing, strings.ToUpper(reason[:1]), reason[1:])
}

// syncDirectory makes a rename permanent, where the system can do that. Either way the new file is in place.
func syncDirectory(path string) {
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
