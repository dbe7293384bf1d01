package memcache

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/proxymapd/proxymapd/maptypes/backend/stream"
)

// maxKey is the limit, in bytes, of a key in the text protocol of memcached
// (protocol.txt).
const maxKey = 250

const newline = "\r\n"

func appendGet(dst, key []byte) []byte {
	return append(append(append(dst, "get "...), key...), newline...)
}

func appendDelete(dst, key []byte) []byte {
	return append(append(append(dst, "delete "...), key...), newline...)
}

// appendStore appends the command "set" or "add".
func appendStore(dst []byte, command string, key, value []byte, flags, ttl int) []byte {
	dst = fmt.Appendf(dst, "%s %s %d %d %d"+newline, command, key, flags, ttl, len(value))
	return append(append(dst, value...), newline...)
}

// readLine reads a line of at most limit bytes, without its end.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	line, err := stream.ReadLine(r, nil, limit)
	return bytes.TrimSuffix(line, []byte{'\r'}), err
}

// The limits, in bytes, of what is logged of a server's words.
const (
	maxShown       = 30
	maxUpdateShown = 100
)

func shorten(line []byte, limit int) []byte { return line[:min(len(line), limit)] }

// unexpectedReply is the beginning of a reply to "get" that makes no sense.
type unexpectedReply string

func (e unexpectedReply) Error() string { return "unexpected memcache server reply: " + string(e) }

func unexpected(line []byte) error { return unexpectedReply(shorten(line, maxShown)) }

// longValue is the size of a value that is not read. Nothing changes when it is asked
// for again.
type longValue int64

func (e longValue) Error() string {
	return fmt.Sprintf("value of %d bytes is too long (data_size_limit)", int64(e))
}

// readValue reads the reply to "get": nothing, or the value of the key, which it
// appends to dst. What follows a NUL does not count.
func readValue(r *bufio.Reader, dst, key []byte, maxLine, maxData int) (value []byte, found bool, err error) {
	line, err := readLine(r, maxLine)
	if err != nil {
		return nil, false, err
	}
	if string(line) == "END" {
		return nil, false, nil
	}
	size, ok := valueSize(line, key)
	if !ok {
		return nil, false, unexpected(line)
	}
	if size > int64(maxData) {
		return nil, false, longValue(size)
	}
	value, err = stream.ReadData(r, dst, int(size))
	if err != nil {
		return nil, false, err
	}
	for _, want := range []string{"", "END"} {
		if err := expectLine(r, want); err != nil {
			return nil, false, err
		}
	}
	value, _, _ = bytes.Cut(value, []byte{0})
	return value, true, nil
}

// valueSize takes the line "VALUE key flags size" apart, which may have one more
// word.
func valueSize(line, key []byte) (size int64, ok bool) {
	words := bytes.Split(line, []byte{' '})
	if len(words) < 4 || len(words) > 5 || string(words[0]) != "VALUE" || !bytes.Equal(words[1], key) {
		return 0, false
	}
	size, err := strconv.ParseInt(string(words[3]), 10, 64)
	return size, err == nil && size >= 0
}

// expectLine reads a line that can only be one.
func expectLine(r *bufio.Reader, want string) error {
	line := make([]byte, len(want)+len(newline))
	if _, err := io.ReadFull(r, line); err != nil {
		return err
	}
	if string(line) != want+newline {
		return unexpected(line)
	}
	return nil
}

// readStored reads the reply to "set", or to "add", which does not replace.
func readStored(r *bufio.Reader, maxLine int, add bool) error {
	line, err := readLine(r, maxLine)
	if err == nil && string(line) != "STORED" && !(add && string(line) == "NOT_STORED") {
		err = fmt.Errorf("update failed: %s", shorten(line, maxUpdateShown))
	}
	return err
}

// readDeleted reads the reply to "delete".
func readDeleted(r *bufio.Reader, maxLine int) (found bool, err error) {
	line, err := readLine(r, maxLine)
	if err != nil {
		return false, err
	}
	switch string(line) {
	case "DELETED":
		return true, nil
	case "NOT_FOUND":
		return false, nil
	}
	return false, fmt.Errorf("delete failed: %s", shorten(line, maxShown))
}
