//go:build pcre2 && cgo

package pcre2

/*
#cgo pkg-config: libpcre2-8
#cgo noescape pm_match
#cgo nocallback pm_match
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

// pm_context returns a match context with the given heap limit in KiB.
static pcre2_match_context *pm_context(uint32_t kib) {
	pcre2_match_context *context = pcre2_match_context_create(0);

	if (context != 0)
		pcre2_set_heap_limit(context, kib);
	return context;
}

// pm_match matches key and stores the first n offsets. *data are match data with
// room for *pairs groups, group 0 included; they are replaced when that is not
// enough.
static int pm_match(const pcre2_code *code, const unsigned char *key, size_t len, int32_t *offsets, int n, pcre2_match_context *context, pcre2_match_data **data, int *pairs, int need) {
	int i, rc;

	if (need > *pairs) {
		pcre2_match_data_free(*data);
		*pairs = need < 16 ? 16 : need;
		*data = pcre2_match_data_create(*pairs, 0);
	}
	if (*data == 0) {
		*pairs = 0;
		return PCRE2_ERROR_NOMEMORY;
	}
	rc = pcre2_match(code, key, len, 0, 0, *data, context);
	for (i = 0; rc > 0 && i < n; i++)
		offsets[i] = (int32_t) pcre2_get_ovector_pointer(*data)[i];
	return rc;
}
*/
import "C"

import (
	"context"
	"errors"
	"sync"
	"unsafe"
)

// Regexp is one compiled expression. Its methods may be called by several
// goroutines at once, except Close.
type Regexp struct {
	code   *C.pcre2_code
	groups int
}

var matchContext = sync.OnceValue(func() *C.pcre2_match_context { return C.pm_context(heapLimit) })

// Compile compiles an expression; a *CompileError says what is wrong with it.
func Compile(expr string, options uint32) (*Regexp, error) {
	text := C.CString(expr)
	defer C.free(unsafe.Pointer(text))
	var number C.int
	var offset C.size_t
	code := C.pcre2_compile((*C.uchar)(unsafe.Pointer(text)), C.size_t(len(expr)), C.uint32_t(options), &number, &offset, nil)
	if code == nil {
		return nil, &CompileError{Offset: int(offset), Code: int(number), Message: message(number)}
	}
	var groups C.uint32_t
	if C.pcre2_pattern_info(code, C.PCRE2_INFO_CAPTURECOUNT, unsafe.Pointer(&groups)) != 0 {
		C.pcre2_code_free(code)
		return nil, errors.New("pcre2_pattern_info failed")
	}
	return &Regexp{code: code, groups: int(groups)}, nil
}

// Memory is what matching needs besides the expression. The matches of one
// lookup, which one goroutine makes, go faster with the same Memory. The zero
// Memory is ready for use.
type Memory struct {
	data  *C.pcre2_match_data
	pairs C.int // groups that there is room for
}

// Release ends a lookup. The memory can be used for another one.
func (m *Memory) Release() {
	if m.data != nil {
		C.pcre2_match_data_free(m.data)
		*m = Memory{}
	}
}

// Groups returns the number of groups.
func (re *Regexp) Groups() int { return re.groups }

// none gives an empty key an address.
var none = [1]byte{}

// Match reports whether the expression matches somewhere in key, and stores the
// start and end of the first groups, group 0 included, as far as offsets has
// room; -1 stands for a group that matched nothing. Matching cannot be
// interrupted, but a *MatchError ends it when it takes too many steps. m can be
// nil.
func (re *Regexp) Match(_ context.Context, m *Memory, key []byte, offsets []int32) (bool, error) {
	if m == nil {
		m = &Memory{}
		defer m.Release()
	}
	text := &none[0]
	if len(key) > 0 {
		text = &key[0]
	}
	var room *C.int32_t
	if len(offsets) > 0 {
		room = (*C.int32_t)(unsafe.Pointer(&offsets[0]))
	}
	rc := C.pm_match(re.code, (*C.uchar)(unsafe.Pointer(text)), C.size_t(len(key)), room, C.int(len(offsets)), matchContext(), &m.data, &m.pairs, C.int(re.groups+1))
	switch {
	case rc == C.PCRE2_ERROR_NOMATCH:
		return false, nil
	case rc < 0:
		return false, &MatchError{Code: int(rc), Message: message(rc)}
	default:
		return true, nil
	}
}

// Close releases the compiled expression.
func (re *Regexp) Close() { C.pcre2_code_free(re.code) }

// message returns PCRE2's text for an error number.
func message(number C.int) string {
	var text [256]C.uchar
	if C.pcre2_get_error_message(number, &text[0], C.size_t(len(text))) <= 0 {
		return "unexpected error"
	}
	return C.GoString((*C.char)(unsafe.Pointer(&text[0])))
}
