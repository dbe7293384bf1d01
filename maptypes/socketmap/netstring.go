package socketmap

import (
	"bufio"
	"context"
	"errors"
	"strconv"

	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// errFormat says that a reply is not a netstring.
var errFormat = errors.New("input format error")

// appendNetstring appends a request, "name key", as a netstring
// (cr.yp.to/proto/netstrings.txt).
func appendNetstring(dst []byte, name string, key []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(name)+1+len(key)), 10)
	dst = append(dst, ':')
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = append(dst, key...)
	return append(dst, ',')
}

// exchange sends a request and returns the contents of the netstring that
// answers it, for which buf has room.
func exchange(ctx context.Context, c *stream.Conn, request, buf []byte, limit int) ([]byte, error) {
	buf = buf[:0]
	err := c.Exchange(ctx, request, func(r *bufio.Reader) error {
		var err error
		buf, err = readNetstring(r, buf, limit)
		return err
	})
	return buf, err
}

// readNetstring appends the contents of the next netstring to dst. More than
// limit bytes are stream.ErrTooLong.
func readNetstring(r *bufio.Reader, dst []byte, limit int) ([]byte, error) {
	n, err := readLength(r)
	if err != nil {
		return dst, err
	}
	if n > int64(limit) {
		return dst, stream.ErrTooLong
	}
	if dst, err = stream.ReadData(r, dst, int(n)); err != nil {
		return dst, err
	}
	end, err := r.ReadByte()
	if err == nil && end != ',' {
		err = errFormat
	}
	return dst, err
}

// maxDigits is the limit of digits in a length: more are too many for a number
// in 64 bits, unless the first ones are zero, which nobody sends.
const maxDigits = 18

// readLength reads the digits before the colon. Postfix, too, takes no digits
// for 0.
func readLength(r *bufio.Reader) (n int64, err error) {
	for range maxDigits + 1 {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == ':':
			return n, nil
		case c < '0' || c > '9':
			return 0, errFormat
		}
		n = n*10 + int64(c-'0')
	}
	return 0, stream.ErrTooLong
}
