package mysql

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	mysqldriver "github.com/go-sql-driver/mysql"
)

// reader reads answers to queries
// (https://mariadb.com/kb/en/result-set-packets/). The values are the text that
// the server sends.
type reader struct {
	in       *bufio.Reader
	eof      bool // results end with an EOF packet, and so do definitions of columns
	sequence byte // of the next packet
	large    []byte
}

// wireError is a failure of the connection, or of the server to keep to the
// protocol.
type wireError struct{ err error }

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// What a server should not do, or what is not supported.
var (
	errMalformed     = &wireError{mysqldriver.ErrMalformPkt}
	errLocalInfile   = &wireError{errors.New("LOAD DATA LOCAL is not supported")}
	errLongStatement = errors.New("the statement is too long")
	errLongRow       = &wireError{fmt.Errorf("a row of more than %d bytes", maxPacket)}
)

// bufferSize is what is read at once, in bytes.
const bufferSize = 8 << 10

func (r *reader) init(conn net.Conn, eof bool) {
	r.in, r.eof = bufio.NewReaderSize(conn, bufferSize), eof
}

func (r *reader) buffered() int { return r.in.Buffered() }

// moreResults is the server status SERVER_MORE_RESULTS_EXISTS.
const moreResults = 8

// answer reads all results of one statement and calls add for each column of each
// row of the first one that has columns; NULL is nil. An error of add is returned
// after the rest is read. got reports whether there was such a result.
func (r *reader) answer(add func([]byte) error) (got bool, err error) {
	r.sequence = 1
	results := 0
	for {
		columns, status, refused := r.head()
		if columns > 0 && refused == nil {
			if results++; results > 1 {
				err = firstOf(err, errMultiple)
			}
			var failed error
			status, failed, refused = r.rows(columns, add, err != nil)
			err = firstOf(err, failed)
		} else if refused != nil && results > 0 && isServerError(refused) && !shutsDown(refused) {
			refused = &laterError{refused}
		}
		if isBroken(refused) {
			return false, refused
		}
		if refused != nil {
			return results > 0, firstOf(err, refused)
		}
		if status&moreResults == 0 {
			return results > 0, err
		}
	}
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func isBroken(err error) bool {
	_, ok := err.(*wireError)
	return ok
}

// head reads the beginning of a result: the number of columns, with their
// definitions, or the end of one without columns.
func (r *reader) head() (columns int, status uint16, err error) {
	p, err := r.packet()
	if err != nil {
		return 0, 0, err
	}
	switch p[0] {
	case 0x00:
		status, err = statusOfOK(p)
		return 0, status, err
	case 0xff:
		return 0, 0, refusalIn(p)
	case 0xfb:
		return 0, 0, errLocalInfile
	}
	n, p, ok := length(p)
	if !ok || n == 0 || n > 4096 {
		return 0, 0, errMalformed
	}
	if len(p) > 0 && p[0] == 0 {
		return int(n), 0, nil // MariaDB: definitions are known from before
	}
	skip := int(n)
	if r.eof {
		skip++
	}
	for range skip {
		if _, err := r.packet(); err != nil {
			return 0, 0, err
		}
	}
	return int(n), 0, nil
}

// rows reads rows to their end. The first error of add is failed; rows after it
// are skipped.
func (r *reader) rows(columns int, add func([]byte) error, skip bool) (status uint16, failed, err error) {
	for {
		p, err := r.packet()
		switch {
		case err != nil:
			return 0, failed, err
		case p[0] == 0xff:
			return 0, failed, refusalIn(p)
		case p[0] == 0xfe && r.eof && len(p) == 5:
			return binary.LittleEndian.Uint16(p[3:]), failed, nil
		case p[0] == 0xfe && !r.eof && len(p) < 0xffffff:
			status, err = statusOfOK(p)
			return status, failed, err
		}
		for range columns {
			var value []byte
			var ok bool
			if value, p, ok = text(p); !ok {
				return 0, failed, errMalformed
			}
			if !skip {
				failed = add(value)
				skip = failed != nil
			}
		}
	}
}

// packet reads one packet, which has at least one byte. It is valid until the
// next one is read.
func (r *reader) packet() ([]byte, error) {
	n, err := r.header()
	if err != nil {
		return nil, err
	}
	if n <= bufferSize {
		p, err := r.in.Peek(n)
		if err != nil {
			return nil, broken(err)
		}
		_, _ = r.in.Discard(n) // it is there
		if n == 0 {
			return nil, errMalformed
		}
		return p, nil
	}
	r.large = r.large[:0]
	for {
		have := len(r.large)
		if have+n > maxPacket {
			return nil, errLongRow
		}
		r.large = append(r.large, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, r.large[have:]); err != nil {
			return nil, broken(err)
		}
		if n < 0xffffff {
			break
		}
		if n, err = r.header(); err != nil {
			return nil, err
		}
	}
	p := r.large
	if cap(p) > 1<<20 {
		r.large = nil
	}
	return p, nil
}

// header reads the header of a packet and returns the packet's length.
func (r *reader) header() (int, error) {
	h, err := r.in.Peek(4)
	if err != nil {
		return 0, broken(err)
	}
	n, sequence := int(h[0])|int(h[1])<<8|int(h[2])<<16, h[3]
	_, _ = r.in.Discard(4) // they are there
	if sequence != r.sequence {
		return 0, errMalformed
	}
	r.sequence++
	return n, nil
}

func broken(err error) error { return &wireError{err} }

// length reads an integer of variable size.
func length(p []byte) (n uint64, rest []byte, ok bool) {
	size := 0
	switch {
	case len(p) == 0:
		return 0, nil, false
	case p[0] < 0xfb:
		return uint64(p[0]), p[1:], true
	case p[0] == 0xfc:
		size = 2
	case p[0] == 0xfd:
		size = 3
	case p[0] == 0xfe:
		size = 8
	}
	if p = p[1:]; size == 0 || len(p) < size {
		return 0, nil, false
	}
	for i := size - 1; i >= 0; i-- {
		n = n<<8 | uint64(p[i])
	}
	return n, p[size:], true
}

// text reads a value, which is nil for NULL.
func text(p []byte) (value, rest []byte, ok bool) {
	if len(p) > 0 && p[0] == 0xfb {
		return nil, p[1:], true
	}
	n, p, ok := length(p)
	if !ok || n > uint64(len(p)) {
		return nil, nil, false
	}
	return p[:n:n], p[n:], true
}

// statusOfOK returns the server status of an OK packet.
func statusOfOK(p []byte) (uint16, error) {
	_, p, ok := length(p[1:]) // affected rows
	if ok {
		_, p, ok = length(p) // last insert id
	}
	if !ok || len(p) < 2 {
		return 0, errMalformed
	}
	return binary.LittleEndian.Uint16(p), nil
}

// refusalIn returns the server's error in an ERR packet, as the library does.
func refusalIn(p []byte) error {
	if len(p) < 3 {
		return errMalformed
	}
	e := &mysqldriver.MySQLError{Number: binary.LittleEndian.Uint16(p[1:])}
	p = p[3:]
	if len(p) >= 6 && p[0] == '#' {
		copy(e.SQLState[:], p[1:6])
		p = p[6:]
	}
	e.Message = string(p)
	return e
}
