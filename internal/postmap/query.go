package postmap

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/proxymapd/proxymapd/maptypes"
)

// queryOne looks up one key, in one table after the other until it is found. As
// in Postfix a table is opened only when its turn comes.
func (p *program) queryOne() (found bool, err error) {
	key := []byte(p.key)
	for _, operand := range p.tables {
		t, err := p.open(operand, maptypes.ReadOnly, p.flags|maptypes.FlagLock)
		if err != nil {
			return false, err
		}
		value, err := p.lookup(t, key)
		switch {
		case err == nil:
			if len(value) == 0 {
				p.warnEmpty(t.spec, key)
			}
			p.out.value(key, value)
			return true, t.Close()
		case maptypes.Class(err) != maptypes.ErrNotFound:
			return false, p.failure(t, "query", err)
		}
		t.Close()
	}
	return false, nil
}

// lookup asks a table for a key, and decodes the value if it is a file.
func (p *program) lookup(t *table, key []byte) ([]byte, error) {
	t.request.Key = key
	value, err := t.Lookup(p.ctx, &t.request)
	if err != nil || p.flags&maptypes.FlagSrcRHSIsFile == 0 {
		return value, err
	}
	value, err = decodeFile(value)
	if err != nil {
		p.log.Warnf("table %s: key %s: %v", t.Label(), key, err)
		return nil, maptypes.ErrConfig
	}
	return value, nil
}

// queryMany looks up the keys on standard input.
func (p *program) queryMany(in io.Reader) (found bool, err error) {
	q := p.newQueries(p.lookup)
	defer q.close()
	err = eachLine(in, func(line []byte) error { return q.ask(cString(line)) })
	return q.found, err
}

// queries are lookups of many keys in the tables of the command line.
type queries struct {
	*program
	lookup func(*table, []byte) ([]byte, error)
	open   []*table // those that were needed so far
	found  bool     // a key
}

func (p *program) newQueries(lookup func(*table, []byte) ([]byte, error)) *queries {
	return &queries{program: p, lookup: lookup}
}

// ask looks up a key in one table after the other until it is found, and prints
// what was found.
func (q *queries) ask(key []byte) error {
	for i := range q.tables {
		t, err := q.table(i)
		if err != nil {
			return err
		}
		value, err := q.lookup(t, key)
		switch {
		case err == nil:
			if len(value) == 0 {
				q.warnEmpty(t.Label(), key)
			}
			q.out.entry(key, value)
			q.found = true
			return nil
		case maptypes.Class(err) != maptypes.ErrNotFound:
			return q.failure(t, "query", err)
		}
	}
	return nil
}

// table returns the table of an operand, which it opens when it is needed for the
// first time.
func (q *queries) table(i int) (*table, error) {
	if i < len(q.open) {
		return q.open[i], nil
	}
	t, err := q.program.open(q.tables[i], maptypes.ReadOnly, q.flags|maptypes.FlagLock)
	if err != nil {
		return nil, err
	}
	q.open = append(q.open, t)
	return t, nil
}

func (q *queries) close() {
	for _, t := range q.open {
		t.Close()
	}
}

// eachLine calls do for each line of a stream, without the newline. The last line
// may lack it.
func eachLine(in io.Reader, do func(line []byte) error) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("read standard input: %w", maptypes.SystemError(err))
		}
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err := do(bytes.TrimSuffix(line, []byte{'\n'})); err != nil {
			return err
		}
	}
}

// cString is the part of a line before its first NUL, which no key can hold.
func cString(line []byte) []byte {
	line, _, _ = bytes.Cut(line, []byte{0})
	return line
}
