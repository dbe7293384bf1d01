//go:build cgo

package regexp

/*
#cgo noescape pm_regexec
#cgo nocallback pm_regexec
#cgo noescape pm_first
#cgo nocallback pm_first
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// pm_text returns the key as regexec wants it: in place where the end can be
// told with REG_STARTEND, else as a copy with a NUL.
#ifdef REG_STARTEND
#define PM_EFLAGS REG_STARTEND
static const char *pm_text(const char *key, int len) { return key; }
static void pm_text_free(const char *text) { }
#else
#define PM_EFLAGS 0
static const char *pm_text(const char *key, int len) {
	char *text = malloc(len + 1);
	if (text != 0) {
		memcpy(text, key, len);
		text[len] = 0;
	}
	return text;
}
static void pm_text_free(const char *text) { free((char *) text); }
#endif

#define PM_GROUPS 16

// pm_regexec matches key and stores the offsets of n groups, group 0 included.
static int pm_regexec(const regex_t *re, const char *key, int len, int32_t *offsets, int n) {
	regmatch_t few[PM_GROUPS], *m = few;
	const char *text = pm_text(key, len);
	int i, err = REG_ESPACE;

	if (n > PM_GROUPS)
		m = malloc(n * sizeof(*m));
	if (m != 0 && text != 0) {
		m[0].rm_so = 0;
		m[0].rm_eo = len;
		err = regexec(re, text, n, m, PM_EFLAGS);
		for (i = 0; err == 0 && i < n; i++) {
			offsets[2 * i] = m[i].rm_so;
			offsets[2 * i + 1] = m[i].rm_eo;
		}
	}
	if (m != few)
		free(m);
	pm_text_free(text);
	return err;
}

// pm_first returns the result of the first of n expressions that does not give
// REG_NOMATCH, and says how many were tried.
static int pm_first(regex_t *const *re, int n, const char *key, int len, int *tried) {
	const char *text = pm_text(key, len);
	regmatch_t m[1];
	int i, err = REG_NOMATCH;

	if (text == 0) {
		*tried = 1;
		return REG_ESPACE;
	}
	for (i = 0; i < n && err == REG_NOMATCH; i++) {
		m[0].rm_so = 0;
		m[0].rm_eo = len;
		err = regexec(re[i], text, 0, m, PM_EFLAGS);
	}
	*tried = i;
	pm_text_free(text);
	return err;
}

// pm_regcomp returns 0 and sets *re, or returns an error and its text.
static int pm_regcomp(regex_t **re, const char *expr, int flags, char *text, size_t size) {
	int err = REG_ESPACE;

	strncpy(text, "Memory exhausted", size);
	if ((*re = malloc(sizeof(**re))) != 0) {
		if ((err = regcomp(*re, expr, flags)) == 0)
			return 0;
		regerror(err, *re, text, size);
		free(*re);
		*re = 0;
	}
	return err;
}

static void pm_regfree(regex_t *re) {
	regfree(re);
	free(re);
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// libcRegex is one expression compiled by the C library. It is used by one
// goroutine at a time: regexec takes a lock inside, which would block a thread
// for every goroutine that waits.
type libcRegex struct{ re *C.regex_t }

// newLibcRegex compiles an expression. The error is the text of regerror(3).
func newLibcRegex(expr string, options uint32, groups bool) (*libcRegex, error) {
	text := C.CString(expr)
	defer C.free(unsafe.Pointer(text))
	var message [256]C.char
	r := &libcRegex{}
	if err := C.pm_regcomp(&r.re, text, cflags(options, groups), &message[0], C.size_t(len(message))); err != 0 {
		return nil, regexError(C.GoString(&message[0]))
	}
	return r, nil
}

func cflags(options uint32, groups bool) C.int {
	var flags C.int
	if options&optExtended != 0 {
		flags |= C.REG_EXTENDED
	}
	if options&optIgnoreCase != 0 {
		flags |= C.REG_ICASE
	}
	if options&optNewline != 0 {
		flags |= C.REG_NEWLINE
	}
	if !groups {
		flags |= C.REG_NOSUB
	}
	return flags
}

// errMemory is the text of REG_ESPACE.
const errMemory regexError = "Memory exhausted"

// none gives an empty key an address.
var none = [1]byte{}

// match matches a key as rulefile.Pattern does.
func (r *libcRegex) match(key []byte, offsets []int32) (bool, error) {
	var room *C.int32_t
	if len(offsets) > 0 {
		room = (*C.int32_t)(unsafe.Pointer(&offsets[0]))
	}
	err := C.pm_regexec(r.re, (*C.char)(unsafe.Pointer(address(key))), C.int(len(key)), room, C.int(len(offsets)/2))
	return result(err)
}

// address returns where a key is.
func address(key []byte) *byte {
	if len(key) == 0 {
		return &none[0]
	}
	return &key[0]
}

// result returns what the result of regexec(3) says.
func result(err C.int) (bool, error) {
	switch err {
	case 0:
		return true, nil
	case C.REG_NOMATCH:
		return false, nil
	case C.REG_ESPACE:
		return false, errMemory
	default:
		return false, fmt.Errorf("regexec error %d", err)
	}
}

func (r *libcRegex) groups() int { return int(r.re.re_nsub) }

func (r *libcRegex) free() { C.pm_regfree(r.re) }

// regexes are expressions that are matched with one call.
type regexes struct {
	list [rulefile.MaxFirst]*C.regex_t
	n    int
}

func (x *regexes) add(r *libcRegex) {
	x.list[x.n] = r.re
	x.n++
}

// first matches a key up to the first expression that matches or fails, and
// says how many were tried.
func (x *regexes) first(key []byte) (tried int, hit bool, err error) {
	var count C.int
	rc := C.pm_first(&x.list[0], C.int(x.n), (*C.char)(unsafe.Pointer(address(key))), C.int(len(key)), &count)
	hit, err = result(rc)
	return int(count), hit, err
}
