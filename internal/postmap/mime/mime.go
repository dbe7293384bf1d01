// Package mime finds the headers and body lines of a message as Postfix's
// header_checks(5) sees them: with MIME parsing also the headers of parts
// (RFC 2046) and of attached messages. It decodes nothing, and takes anything for
// a message.
package mime

import (
	"bytes"
	"strings"
)

// Limits are the parameters of main.cf of the same names, in bytes or levels.
type Limits struct {
	HeaderSize     int // header_size_limit
	BoundaryLength int // mime_boundary_length_limit
	Nesting        int // mime_nesting_limit
}

// Reader takes a message apart, line by line. An error of one of the functions
// ends the reading and is returned.
type Reader struct {
	// Header receives each header with its continuation lines, which are
	// joined by newlines.
	Header func(text []byte) error
	// HeaderEnd is called once, after the headers of the message itself.
	HeaderEnd func() error
	// Body receives each line that is in no header.
	Body func(line []byte) error

	parse  bool
	limits Limits
	place  place
	kind   kind
	header []byte // the header that may continue on the next line
	stack  []boundary
}

// place is where the next line belongs.
type place int

const (
	primaryHeader place = iota // of the message itself
	innerHeader                // of a part or an attached message
	body
)

// kind is the content type as far as it matters.
type kind int

const (
	leaf      kind = iota // no parts and no headers inside
	attached              // message/rfc822 or message/global
	multipart             // parts between boundaries
)

// boundary is what separates the parts of a multipart entity.
type boundary struct {
	text string
	part kind // of parts that do not say
}

// NewReader returns a Reader; without parse a message has one header and one body.
func NewReader(parse bool, limits Limits) *Reader {
	nothing := func([]byte) error { return nil }
	return &Reader{
		Header:    nothing,
		HeaderEnd: func() error { return nil },
		Body:      nothing,
		parse:     parse,
		limits:    limits,
	}
}

// Line reads the next line, which comes without its newline.
func (r *Reader) Line(line []byte) error {
	if r.place == body {
		return r.bodyLine(line)
	}
	if len(r.header) > 0 && len(line) > 0 && isBlank(line[0]) {
		if len(r.header) < r.limits.HeaderSize {
			r.header = append(append(r.header, '\n'), line...)
		}
		return nil
	}
	if err := r.finishHeader(); err != nil {
		return err
	}
	if n := nameLen(line); n > 0 {
		r.header = append(append(r.header, line[:n]...), bytes.TrimLeft(line[n:], " \t")...)
		return nil
	}
	if err := r.endHeaders(len(line) == 0); err != nil {
		return err
	}
	return r.bodyLine(line)
}

// End ends the message.
func (r *Reader) End() error {
	if r.place == body {
		return nil
	}
	if err := r.finishHeader(); err != nil {
		return err
	}
	primary := r.place == primaryHeader
	r.place = body
	if primary {
		return r.HeaderEnd()
	}
	return nil
}

// finishHeader hands out the header that was collected.
func (r *Reader) finishHeader() error {
	if len(r.header) == 0 {
		return nil
	}
	text := r.header
	r.header = r.header[:0]
	if r.parse {
		name, value, _ := strings.Cut(string(text), ":")
		if strings.EqualFold(name, "Content-Type") {
			r.contentType(value)
		}
	}
	return r.Header(text)
}

// endHeaders decides what follows a block of headers. A line that is neither a
// header nor empty begins the body; a message gets the empty line that is missing.
func (r *Reader) endHeaders(regular bool) error {
	primary := r.place == primaryHeader
	if primary {
		if err := r.HeaderEnd(); err != nil {
			return err
		}
	}
	r.place = body
	switch {
	case !regular && primary:
		return r.Body(nil)
	case !regular:
	case r.kind == attached:
		r.place, r.kind = innerHeader, leaf
	case r.kind == multipart:
		r.kind = leaf
	}
	return nil
}

// bodyLine hands out a line, which may be a boundary.
func (r *Reader) bodyLine(line []byte) error {
	if delimiter, ok := bytes.CutPrefix(line, []byte("--")); ok && len(delimiter) > 0 {
		r.findBoundary(delimiter)
	}
	return r.Body(line)
}

// findBoundary looks for the innermost boundary that text starts with. What was
// inside it has ended, with or without a boundary of its own.
func (r *Reader) findBoundary(text []byte) {
	for i := len(r.stack) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(text, []byte(r.stack[i].text))
		if !ok {
			continue
		}
		if bytes.HasPrefix(rest, []byte("--")) {
			r.stack = r.stack[:i]
			r.place, r.kind = body, leaf
		} else {
			r.stack = r.stack[:i+1]
			r.place, r.kind = innerHeader, r.stack[i].part
		}
		return
	}
}

// nameLen returns the length of the name if a line starts with one, followed by
// blanks (RFC 5322, obsolete syntax) and a colon; otherwise 0.
func nameLen(line []byte) int {
	name, _, found := bytes.Cut(line, []byte{':'})
	name = bytes.TrimRight(name, " \t")
	if !found {
		return 0
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return 0
		}
	}
	return len(name)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
