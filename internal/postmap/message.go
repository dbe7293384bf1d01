package postmap

import (
	"errors"
	"io"

	"github.com/proxymapd/proxymapd/internal/postmap/mime"
)

// errEndOfHeader stops the reading of a message of which only the header counts.
var errEndOfHeader = errors.New("end of header")

// queryMessage looks up the headers, the body lines, or both, of the message on
// standard input, as header_checks(5) does.
func (p *program) queryMessage(in io.Reader) (found bool, err error) {
	limits, err := p.messageLimits()
	if err != nil {
		return false, err
	}
	q := p.newQueries(p.lookupPlain)
	defer q.close()
	m := mime.NewReader(p.mimeKeys, limits)
	if p.headerKeys {
		m.Header = func(text []byte) error { return q.ask(cString(text)) }
	}
	if p.bodyKeys {
		m.Body = func(line []byte) error { return q.ask(cString(line)) }
	}
	if !p.bodyKeys && !p.mimeKeys {
		m.HeaderEnd = func() error { return errEndOfHeader }
	}
	err = eachLine(in, m.Line)
	if err == nil {
		err = m.End()
	}
	if err == errEndOfHeader {
		err = nil
	}
	return q.found, err
}

// lookupPlain asks a table for a key that comes from a message. With -F, too, the
// value is what the table has.
func (p *program) lookupPlain(t *table, key []byte) ([]byte, error) {
	t.request.Key = key
	return t.Lookup(p.ctx, &t.request)
}

// messageLimits returns the limits that main.cf sets.
func (p *program) messageLimits() (mime.Limits, error) {
	var limits mime.Limits
	for name, limit := range map[string]*int{
		"header_size_limit":          &limits.HeaderSize,
		"mime_boundary_length_limit": &limits.BoundaryLength,
		"mime_nesting_limit":         &limits.Nesting,
	} {
		var err error
		if *limit, err = p.params.Int(name); err != nil {
			return limits, err
		}
	}
	return limits, nil
}
