package postmap

import (
	"io"

	"github.com/proxymapd/proxymapd/maptypes"
)

// removeOne deletes a key from each table.
func (p *program) removeOne() (found bool, err error) {
	for _, operand := range p.tables {
		t, err := p.openForRemove(operand)
		if err != nil {
			return found, err
		}
		one, err := p.remove(t, []byte(p.key))
		if err != nil {
			return found, err
		}
		found = found || one
		t.Close()
	}
	return found, nil
}

// removeMany deletes the keys on standard input from each table.
func (p *program) removeMany(in io.Reader) (found bool, err error) {
	var tables []*table
	for _, operand := range p.tables {
		t, err := p.openForRemove(operand)
		if err != nil {
			return false, err
		}
		defer t.Close()
		tables = append(tables, t)
	}
	err = eachLine(in, func(line []byte) error {
		for _, t := range tables {
			one, err := p.remove(t, cString(line))
			if err != nil {
				return err
			}
			found = found || one
		}
		return nil
	})
	return found, err
}

func (p *program) openForRemove(operand string) (*table, error) {
	return p.open(operand, p.writeMode(operand), p.flags|maptypes.FlagLock)
}

// remove deletes a key from a table, and reports whether it was there.
func (p *program) remove(t *table, key []byte) (found bool, err error) {
	t.request.Key = key
	err = t.Delete(p.ctx, &t.request)
	switch {
	case err == nil:
		return true, nil
	case maptypes.Class(err) == maptypes.ErrNotFound:
		return false, nil
	default:
		return false, p.failure(t, "delete", err)
	}
}
