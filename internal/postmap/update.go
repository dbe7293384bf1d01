package postmap

import (
	"os"

	"github.com/proxymapd/proxymapd/maptypes"
)

// update adds the entries on standard input to the first table. The others get
// what is left of it, which is nothing, but are created if they are missing.
func (p *program) update(in *os.File) error {
	for _, operand := range p.tables {
		if err := p.updateTable(operand, in); err != nil {
			return err
		}
	}
	return nil
}

// updateTable adds the entries on standard input to one table.
func (p *program) updateTable(operand string, in *os.File) error {
	restore, err := p.matchSource(in)
	if err != nil {
		return err
	}
	typ, name := p.split(operand)
	p.log.Debugf("open %s %s", typ, name)
	t, err := p.open(operand, maptypes.Create, p.flags|maptypes.FlagLock)
	restore()
	if err != nil {
		return p.mapTypeError(typ, err)
	}
	defer t.Close()
	// Postfix's mkmap warns of duplicates, unless they are ignored or replaced.
	flags := t.Flags() | maptypes.FlagDupWarn
	return p.readSource(in, "stdin", flags, func(r *maptypes.Request) error {
		if err := t.Update(p.ctx, r); err != nil {
			return p.failure(t, "write", err)
		}
		return nil
	})
}
