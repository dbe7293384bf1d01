package maillog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// logFile is maillog_file, written directly while postlogd(8) cannot be reached.
type logFile struct {
	path string
	mode fs.FileMode
	f    *os.File
}

// open opens the file for appending, and creates it when it does not exist.
func (l *logFile) open() error {
	if l.f != nil {
		return nil
	}
	if err := checkLogFile(l.path); err != nil {
		return fmt.Errorf("open logfile '%s': %w", l.path, err)
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, l.mode)
	if err != nil {
		return fmt.Errorf("open logfile '%s': %w", l.path, errors.Unwrap(err))
	}
	l.f = f
	return nil
}

// checkLogFile refuses what somebody else may have put there to have another file written: a symbolic link that does
// not belong to root, and a file with more than one name. /dev/stdout is a link of root's.
func checkLogFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errors.Unwrap(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if info.Mode()&fs.ModeSymlink != 0 && st.Uid != 0 {
		return errors.New("file is a symbolic link")
	}
	if info.Mode().IsRegular() && st.Nlink > 1 {
		return fmt.Errorf("file has %d hard links", st.Nlink)
	}
	return nil
}

// write appends a line and reports whether it got there.
func (l *logFile) write(line string) bool {
	if l.open() != nil {
		return false
	}
	_, err := l.f.WriteString(line + "\n")
	return err == nil
}

func (l *logFile) close() {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}
