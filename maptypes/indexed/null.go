package indexed

import (
	"bytes"

	"github.com/proxymapd/proxymapd/maptypes"
)

// either is both flags about trailing NUL bytes. Both together mean that it is
// not known yet which way the file was written.
const either = maptypes.FlagTry0Null | maptypes.FlagTry1Null

// TryBoth returns flags with both ways to store keys set if neither is.
func TryBoth(flags maptypes.Flags) maptypes.Flags {
	if flags&either == 0 {
		flags |= either
	}
	return flags
}

// Getter finds keys in an index.
type Getter interface {
	// Get appends the value that is stored under exactly this key to dst,
	// or returns maptypes.ErrNotFound.
	Get(key, dst []byte) ([]byte, error)
}

// Lookup looks for r.Key with and without a trailing NUL, as far as the flags try
// allow it. A hit clears the flag in r.Flags of the way that is not used in the
// file. The value is in r.Buf.
func Lookup(g Getter, r *maptypes.Request, try maptypes.Flags) ([]byte, error) {
	r.Buf = append(append(r.Buf[:0], r.Key...), 0)
	n := len(r.Key)
	if try&maptypes.FlagTry1Null != 0 {
		value, err := get(g, r, n+1)
		if err == nil {
			r.Flags &^= maptypes.FlagTry0Null
		}
		if err != maptypes.ErrNotFound {
			return value, err
		}
	}
	if try&maptypes.FlagTry0Null == 0 {
		return nil, maptypes.ErrNotFound
	}
	value, err := get(g, r, n)
	if err == nil {
		r.Flags &^= maptypes.FlagTry1Null
	}
	return value, err
}

// get looks for the first n bytes of r.Buf, and appends the value to r.Buf.
func get(g Getter, r *maptypes.Request, n int) ([]byte, error) {
	start := len(r.Buf)
	buf, err := g.Get(r.Buf[:n], r.Buf)
	r.Buf = buf[:start]
	if r.Trace != nil {
		trace(r, n, buf[start:], err)
	}
	if err != nil {
		return nil, err
	}
	return String(buf[start:]), nil
}

// trace records that a key was looked for.
func trace(r *maptypes.Request, n int, value []byte, err error) {
	how := "without"
	if n > len(r.Key) {
		how = "with"
	}
	result := "no such key"
	switch {
	case err == nil:
		result = "entry " + maptypes.Quote(value)
	case err != maptypes.ErrNotFound:
		result = "error: " + err.Error()
	}
	r.Trace.Result(result, "key %s %s trailing NUL", maptypes.Quote(r.Key), how)
}

// Ways returns which ways to store a key r.Flags allow, or else flags.
func Ways(r *maptypes.Request, flags maptypes.Flags) maptypes.Flags {
	if r.Flags&either != 0 {
		return r.Flags & either
	}
	return TryBoth(flags) & either
}

// String returns what C takes b for: the bytes before the first NUL.
func String(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// Stored returns key and value as an update stores them: with a trailing NUL if
// the flag FlagTry1Null is set.
func Stored(flags maptypes.Flags, key, value []byte) (storedKey, storedValue []byte) {
	if flags&maptypes.FlagTry1Null == 0 {
		return key, value
	}
	return terminated(key), terminated(value)
}

// BuildFlags returns the flags of a file that is being built, with what a request
// alone wants of trailing NUL bytes, if it says so.
func BuildFlags(r *maptypes.Request, flags maptypes.Flags) maptypes.Flags {
	if null := r.Flags & either; null != 0 && null != either {
		return flags&^either | null
	}
	return flags
}

// terminated returns a copy of b with a trailing NUL.
func terminated(b []byte) []byte {
	return append(append(make([]byte, 0, len(b)+1), b...), 0)
}
