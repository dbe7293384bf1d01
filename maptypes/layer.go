package maptypes

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// layer is what stands between a requestor and every driver: keys are checked
// to be UTF-8, and folded to lower case, as the request's flags ask (Postfix:
// dict_utf8.c in UTF-8 mode, else each driver for itself).
type layer struct {
	label string // "type:name", for log lines
	warnf func(format string, args ...any)
	utf8  bool  // UTF-8 mode
	fold  Flags // the flag that makes this driver fold keys outside UTF-8 mode
}

const notUTF8 = "malformed UTF-8 or invalid codepoint"

// newLayer returns the layer for a table opened with the given flags.
func newLayer(env *Env, label string, flags, fold Flags) layer {
	return layer{
		label: label,
		warnf: env.Warnf,
		utf8:  env.UTF8 && flags&FlagUTF8Request != 0,
		fold:  fold,
	}
}

// enter checks and folds r.Key. It returns what leave must put back, and false
// if the key is not valid UTF-8 in UTF-8 mode. Whether the table's keys are
// FlagFixed is the requestor's word.
func (l *layer) enter(r *Request) (key []byte, flags Flags, ok bool) {
	key, flags = r.Key, r.Flags
	if !l.utf8 {
		if r.Flags&l.fold != 0 {
			r.fold = AppendLower(r.fold[:0], r.Key)
			r.Key = r.fold
		}
		return key, 0, true
	}
	if !utf8.Valid(r.Key) {
		l.warnf("%s: non-UTF-8 key \"%s\": %s", l.label, r.Key, notUTF8)
		return key, 0, false
	}
	if r.Flags&l.wanted(r) != 0 {
		r.fold = appendFold(r.fold[:0], r.Key)
		r.Key = r.fold
	}
	// The driver must not fold again: a proxy: table would ask its server to.
	r.Flags &^= FlagFoldAny
	return key, flags & FlagFoldAny, true
}

// leave undoes enter.
func (l *layer) leave(r *Request, key []byte, flags Flags) {
	r.Key = key
	r.Flags |= flags
}

// trace records what enter has decided about a key: r has the key and flags that
// the driver gets, unless the key is not valid.
func (l *layer) trace(r *Request, key []byte, asked Flags, ok bool) {
	mode := "UTF-8 is not asked for"
	switch {
	case l.utf8:
		mode = "UTF-8 mode"
	case asked&FlagUTF8Request != 0:
		mode = "UTF-8 is off (smtputf8_enable = no, or the table was opened without)"
	}
	switch {
	case !ok:
		r.Trace.Result("the table is not asked", "%s: the key is not valid: %s", mode, notUTF8)
	case !bytes.Equal(key, r.Key):
		r.Trace.Step("%s: key folded to %s", mode, Quote(r.Key))
	case l.folds(r, asked):
		r.Trace.Step("%s: key folded, which changes nothing", mode)
	case asked&FlagFoldAny == 0:
		r.Trace.Step("%s: key not folded: not asked for, or done already", mode)
	case !l.utf8 && l.fold == 0:
		r.Trace.Step("%s: key not folded by this type of table", mode)
	default:
		r.Trace.Step("%s: key not folded: tables of %s get it as it is", mode, keysOf(r))
	}
}

// keysOf says what the keys of a table are.
func keysOf(r *Request) string {
	if r.Flags&FlagFixed != 0 {
		return "fixed strings"
	}
	return "patterns"
}

// folds reports whether a key with the given flags is folded.
func (l *layer) folds(r *Request, asked Flags) bool {
	wanted := l.fold
	if l.utf8 {
		wanted = l.wanted(r)
	}
	return asked&wanted != 0
}

// wanted is the flag that makes UTF-8 mode fold.
func (l *layer) wanted(r *Request) Flags {
	if r.Flags&FlagFixed != 0 {
		return FlagFoldFix
	}
	return FlagFoldMul
}

// checkValue reports whether a value may pass. In UTF-8 mode it must be valid
// UTF-8; if not, that is logged.
func (l *layer) checkValue(key, value []byte) bool {
	if !l.utf8 || utf8.Valid(value) {
		return true
	}
	l.warnf("%s: key \"%s\": non-UTF-8 value \"%s\": %s", l.label, key, value, notUTF8)
	return false
}

// AppendLower appends key to dst with its ASCII letters in lower case, which is
// how Postfix folds the keys of a source file that it reads into memory, in
// UTF-8 mode too.
func AppendLower(dst, key []byte) []byte {
	for _, c := range key {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

var folder = cases.Fold()

// appendFold appends key after full Unicode case folding.
func appendFold(dst, key []byte) []byte {
	for _, c := range key {
		if c >= utf8.RuneSelf {
			return append(dst, folder.Bytes(key)...)
		}
	}
	return AppendLower(dst, key)
}
