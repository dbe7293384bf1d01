package check

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through.
const maxLinks = 40

// denied returns what keeps this process from a file, "" if nothing does: the first component of the path, or of what it
// links to, that may not be passed. want is unix.R_OK or unix.W_OK, for the file itself.
func denied(path string, want uint32) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	at, rest := "/", strings.Split(strings.TrimPrefix(path, "/"), "/")
	for links := 0; len(rest) > 0 && links <= maxLinks; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		switch {
		case os.IsNotExist(err):
			return "there is no " + next
		case err != nil:
			return cannot("search", at)
		case info.Mode()&os.ModeSymlink != 0:
			links++
			target, err := os.Readlink(next)
			if err != nil {
				return cannot("read", next)
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
			continue
		case info.IsDir() && unix.Access(next, unix.X_OK) != nil:
			return cannot("search", next)
		}
		at = next
	}
	return deniedLast(at, want)
}

// deniedLast is denied for a path without links whose directories can be searched.
func deniedLast(path string, want uint32) string {
	switch {
	case unix.Access(path, want) == nil:
		return ""
	case want == unix.W_OK:
		return cannot("write", path)
	default:
		return cannot("read", path)
	}
}

// cannot says that the user of this process may not do something with a file.
func cannot(do, path string) string {
	return fmt.Sprintf("user %s cannot %s %s%s", userName(os.Geteuid()), do, path, owner(path))
}

// owner describes owner and mode of a file.
func owner(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	group := strconv.Itoa(int(st.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf(" (mode %#o, owner %s:%s)", info.Mode().Perm(), userName(int(st.Uid)), group)
}

// userName returns the name of a user, or the number for one without a name.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}
