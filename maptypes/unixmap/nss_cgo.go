//go:build cgo

package unixmap

// #include <sys/types.h>
// #include <errno.h>
// #include <grp.h>
// #include <pwd.h>
// #include <stdlib.h>
import "C"

import (
	"strconv"
	"syscall"
	"unsafe"
)

// With cgo the C library looks names up as nsswitch.conf(5) says.
var (
	passwd = database{what: "password", find: findUser, hasRoot: hasRootUser}
	group  = database{what: "group", find: findGroup, hasRoot: hasRootGroup}
)

const (
	firstBuffer = 1 << 10
	lastBuffer  = 64 << 20 // a group can have very many members
)

func findUser(dst []byte, name string) (entry []byte, found bool, err error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var pw C.struct_passwd
	var result *C.struct_passwd
	err = withBuffer(func(buf *C.char, size C.size_t) C.int {
		errno := C.getpwnam_r(cname, &pw, buf, size, &result)
		if errno == 0 && result != nil {
			dst = appendUser(dst, &pw)
		}
		return errno
	})
	return dst, result != nil, err
}

func hasRootUser() bool {
	var pw C.struct_passwd
	var result *C.struct_passwd
	err := withBuffer(func(buf *C.char, size C.size_t) C.int {
		return C.getpwuid_r(0, &pw, buf, size, &result)
	})
	return err == nil && result != nil
}

func findGroup(dst []byte, name string) (entry []byte, found bool, err error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var gr C.struct_group
	var result *C.struct_group
	err = withBuffer(func(buf *C.char, size C.size_t) C.int {
		errno := C.getgrnam_r(cname, &gr, buf, size, &result)
		if errno == 0 && result != nil {
			dst = appendGroup(dst, &gr)
		}
		return errno
	})
	return dst, result != nil, err
}

func hasRootGroup() bool {
	var gr C.struct_group
	var result *C.struct_group
	err := withBuffer(func(buf *C.char, size C.size_t) C.int {
		return C.getgrgid_r(0, &gr, buf, size, &result)
	})
	return err == nil && result != nil
}

// withBuffer calls f with a buffer, and with ever larger ones while that is too
// small.
func withBuffer(f func(buf *C.char, size C.size_t) C.int) error {
	for size := firstBuffer; ; size *= 4 {
		buf := C.malloc(C.size_t(size))
		errno := f((*C.char)(buf), C.size_t(size))
		C.free(buf)
		switch errno {
		case 0, C.ENOENT, C.ESRCH, C.EBADF, C.EPERM: // getpwnam(3): not found
			return nil
		case C.EINTR:
			size /= 4
		case C.ERANGE:
			if size >= lastBuffer {
				return syscall.ERANGE
			}
		default:
			return syscall.Errno(errno)
		}
	}
}

func appendUser(dst []byte, pw *C.struct_passwd) []byte {
	dst = appendField(dst, pw.pw_name)
	dst = appendField(dst, pw.pw_passwd)
	dst = appendNumber(dst, uint64(pw.pw_uid))
	dst = appendNumber(dst, uint64(pw.pw_gid))
	dst = appendField(dst, pw.pw_gecos)
	dst = appendField(dst, pw.pw_dir)
	return appendText(dst, pw.pw_shell)
}

func appendGroup(dst []byte, gr *C.struct_group) []byte {
	dst = appendField(dst, gr.gr_name)
	dst = appendField(dst, gr.gr_passwd)
	dst = appendNumber(dst, uint64(gr.gr_gid))
	member := gr.gr_mem
	for i := 0; *member != nil; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, *member)
		member = (**C.char)(unsafe.Add(unsafe.Pointer(member), unsafe.Sizeof(*member)))
	}
	return dst
}

func appendField(dst []byte, text *C.char) []byte { return append(appendText(dst, text), ':') }

func appendNumber(dst []byte, n uint64) []byte { return append(strconv.AppendUint(dst, n, 10), ':') }

func appendText(dst []byte, text *C.char) []byte {
	if text == nil {
		return dst
	}
	return append(dst, C.GoString(text)...)
}
