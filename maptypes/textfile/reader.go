// Package textfile reads the line-oriented text files that Postfix shares
// between its configuration and its tables: main.cf, master.cf, texthash
// sources, pattern tables and database .cf files all consist of the logical
// lines described in postconf(5) and postmap(1).
package textfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DefaultMaxLine is the limit, in bytes, of one logical line. Postfix has no
// limit; ours exists so that a runaway file (a device, a file without
// newlines) ends in an error message instead of exhausted memory.
const DefaultMaxLine = 16 << 20

// ErrLineTooLong is wrapped by the error that Next returns for a logical line
// that is longer than Reader.MaxLine.
var ErrLineTooLong = errors.New("line too long")

// Line is one logical line.
type Line struct {
	// Text is the logical line: its physical lines joined as they stand,
	// without the newlines. White space at the start of continuation lines is
	// kept, as are carriage returns and NUL bytes; see CString.
	Text string
	// Number is the number (from 1) of the first physical line that holds text.
	Number int
	// Last is the number of the last physical line consumed, which may be a
	// comment or blank line after the text.
	Last int
}

// CString returns the text up to its first NUL byte, which is what Postfix's
// programs see of a line.
func (l Line) CString() string {
	text, _, _ := strings.Cut(l.Text, "\x00")
	return text
}

// Reader splits a stream into logical lines. Comment lines (first non-blank
// character '#') and blank lines are skipped, also in the middle of a logical
// line; a line that starts with white space continues the logical line.
type Reader struct {
	// Warn, if not nil, receives one-line messages about odd input: a NUL byte,
	// or text that continues nothing (which is dropped).
	Warn func(message string)
	// MaxLine is the limit in bytes of one logical line.
	MaxLine int

	src    *bufio.Reader
	name   string
	number int
	err    error
}

// NewReader returns a Reader of r. The name is the one that messages use,
// usually the file's path.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{src: bufio.NewReader(r), name: name, MaxLine: DefaultMaxLine}
}

// Next returns the next logical line, io.EOF after the last one, or an error
// that names the file and line. Once it has returned an error it keeps
// returning the same one.
func (r *Reader) Next() (Line, error) {
	for r.err == nil {
		line, err := r.logical()
		if err != nil {
			r.err = err
			break
		}
		if strings.IndexByte(line.Text, 0) >= 0 {
			r.warnNUL(line)
		}
		if !IsSpace(line.Text[0]) {
			return line, nil
		}
		r.warnOrphan(line)
	}
	return Line{}, r.err
}

// logical collects the physical lines of one logical line.
func (r *Reader) logical() (Line, error) {
	var text []byte
	first := 0
	for {
		start := len(text)
		var err error
		text, err = r.physical(text)
		if err != nil && err != io.EOF {
			return Line{}, err
		}
		if IsIgnored(text[start:]) {
			text = text[:start]
		}
		if start == 0 {
			first = r.number
		}
		if err == io.EOF {
			if len(text) == 0 {
				return Line{}, io.EOF
			}
			break
		}
		if len(text) > 0 && !r.continues() {
			break
		}
	}
	return Line{Text: string(text), Number: first, Last: r.number}, nil
}

// physical appends the rest of the current physical line to text. The error is
// io.EOF when the stream ended, also after an unterminated line.
func (r *Reader) physical(text []byte) ([]byte, error) {
	start := len(text)
	for {
		part, err := r.src.ReadSlice('\n')
		if n := len(part); n > 0 && part[n-1] == '\n' {
			part = part[:n-1]
		}
		text = append(text, part...)
		switch {
		case len(text) > r.MaxLine:
			return text, fmt.Errorf("%s, line %d: %w (limit %d bytes)", r.name, r.number+1, ErrLineTooLong, r.MaxLine)
		case err == nil:
			r.number++
			return text, nil
		case err == io.EOF:
			if len(text) > start {
				r.number++
			}
			return text, io.EOF
		case err != bufio.ErrBufferFull:
			return text, fmt.Errorf("read %s, line %d: %w", r.name, r.number+1, err)
		}
	}
}

// continues tells whether the next physical line belongs to the logical line at
// hand: it does when it starts with white space or is a comment or empty.
func (r *Reader) continues() bool {
	next, err := r.src.Peek(1)
	return err == nil && (next[0] == '#' || IsSpace(next[0]))
}

func (r *Reader) warnNUL(line Line) {
	where := fmt.Sprintf("line %d", line.Last)
	if line.Number != line.Last {
		where = fmt.Sprintf("line %d-%d", line.Number, line.Last)
	}
	r.warn(fmt.Sprintf("%s, %s: text after null byte may be ignored", r.name, where))
}

func (r *Reader) warnOrphan(line Line) {
	text := line.CString()
	if len(text) > 30 {
		text = text[:30]
	}
	if len(line.Text) > 30 {
		text += "..."
	}
	r.warn(fmt.Sprintf("%s: logical line must not start with whitespace: \"%s\"", r.name, text))
}

func (r *Reader) warn(message string) {
	if r.Warn != nil {
		r.Warn(message)
	}
}

// IsIgnored tells whether a physical line is blank or a comment.
func IsIgnored(line []byte) bool {
	for _, c := range line {
		if !IsSpace(c) {
			return c == '#'
		}
	}
	return true
}

// IsSpace tells whether c is white space in the C locale, which is the only
// white space that Postfix's files know.
func IsSpace(c byte) bool {
	return c == ' ' || ('\t' <= c && c <= '\r')
}
