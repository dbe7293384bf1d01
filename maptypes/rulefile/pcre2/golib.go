//go:build !pcre2 || !cgo

package pcre2

import (
	"context"
	"errors"
	"unsafe"

	"go.elara.ws/pcre/lib"
	"modernc.org/libc"
)

// Regexp is one compiled expression. Its methods may be called by several
// goroutines at once, except Close.
type Regexp struct {
	code   uintptr
	groups int
}

// Compile compiles an expression; a *CompileError says what is wrong with it.
func Compile(expr string, options uint32) (*Regexp, error) {
	w, err := take(context.Background())
	if err != nil {
		return nil, err
	}
	sane := false
	defer func() { w.release(sane) }()
	re, err := w.compile(expr, options)
	sane = true
	return re, err
}

// compile is Compile with the memory of w.
func (w *worker) compile(expr string, options uint32) (*Regexp, error) {
	text, err := w.text([]byte(expr))
	if err != nil {
		return nil, err
	}
	code := lib.Xpcre2_compile_8(w.tls, text, lib.Tsize_t(len(expr)), options, w.scratch, w.scratch+8, 0)
	if code == 0 {
		number := *(*int32)(pointer(w.scratch))
		offset := *(*lib.Tsize_t)(pointer(w.scratch + 8))
		return nil, &CompileError{Offset: int(offset), Code: int(number), Message: w.message(number)}
	}
	if lib.Xpcre2_pattern_info_8(w.tls, code, lib.DPCRE2_INFO_CAPTURECOUNT, w.scratch) != 0 {
		lib.Xpcre2_code_free_8(w.tls, code)
		return nil, errors.New("pcre2_pattern_info failed")
	}
	return &Regexp{code: code, groups: int(*(*uint32)(pointer(w.scratch)))}, nil
}

// Groups returns the number of groups.
func (re *Regexp) Groups() int { return re.groups }

// Match reports whether the expression matches somewhere in key, and stores the
// start and end of the first groups, group 0 included, as far as offsets has
// room; -1 stands for a group that matched nothing. Matching cannot be
// interrupted, but a *MatchError ends it when it takes too many steps. The error
// is that of ctx when it ends while others use the engine. m can be nil.
func (re *Regexp) Match(ctx context.Context, m *Memory, key []byte, offsets []int32) (bool, error) {
	if m == nil {
		m = &Memory{}
		defer m.Release()
	}
	w, err := m.worker(ctx)
	if err != nil {
		return false, err
	}
	m.sane = false
	hit, err := w.match(re, key, offsets)
	m.sane = true
	if err != nil {
		m.Release() // it took long; others come first
	}
	return hit, err
}

// Close releases the compiled expression.
func (re *Regexp) Close() {
	if w, err := take(context.Background()); err == nil {
		lib.Xpcre2_code_free_8(w.tls, re.code)
		w.release(true)
	}
}

// match is Match with the memory of w.
func (w *worker) match(re *Regexp, key []byte, offsets []int32) (bool, error) {
	text, err := w.subject(key)
	if err != nil {
		return false, err
	}
	if err := w.room(re.groups + 1); err != nil {
		return false, err
	}
	rc := lib.Xpcre2_match_8(w.tls, re.code, text, lib.Tsize_t(len(key)), 0, 0, w.data, w.mctx)
	if rc == lib.DPCRE2_ERROR_NOMATCH {
		return false, nil
	}
	if rc < 0 {
		return false, &MatchError{Code: int(rc), Message: w.message(rc)}
	}
	vector := unsafe.Slice((*lib.Tsize_t)(pointer(lib.Xpcre2_get_ovector_pointer_8(w.tls, w.data))), 2*w.pairs)
	for i := range offsets {
		offsets[i] = int32(vector[i]) // an unset group is all ones, hence -1
	}
	return true, nil
}

// pointer turns an address of C memory into a pointer. The memory is not the Go
// heap's, so nothing moves.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// message returns PCRE2's text for an error number.
func (w *worker) message(number int32) string {
	buf := w.scratch + 16
	if lib.Xpcre2_get_error_message_8(w.tls, number, buf, scratchSize-16) <= 0 {
		return "unexpected error"
	}
	return libc.GoString(buf)
}
