//go:build !cgo

package unixmap

import "os"

// Without cgo there are only the files, not what nsswitch.conf(5) adds.
var (
	passwd = database{what: "password", find: finder("/etc/passwd", userLine), hasRoot: rooter("/etc/passwd", userLine)}
	group  = database{what: "group", find: finder("/etc/group", groupLine), hasRoot: rooter("/etc/group", groupLine)}
)

// finder returns the find function of a database file.
func finder(path string, f format) func(dst []byte, name string) (entry []byte, found bool, err error) {
	return func(dst []byte, name string) ([]byte, bool, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return dst, false, err
		}
		dst, found := f.find(dst, string(text), func(e *fields) bool { return e.name == name })
		return dst, found, nil
	}
}

// rooter returns the hasRoot function of a database file.
func rooter(path string, f format) func() bool {
	return func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		_, found := f.find(nil, string(text), func(e *fields) bool { return e.number == 0 })
		return found
	}
}
