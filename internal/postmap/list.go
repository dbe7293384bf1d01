package postmap

import (
	"github.com/proxymapd/proxymapd/maptypes"
)

// list prints all entries of the first table; like Postfix it ignores the others.
func (p *program) list() (found bool, err error) {
	if len(p.tables) == 0 {
		return false, nil
	}
	t, err := p.open(p.tables[0], maptypes.ReadOnly, p.flags|maptypes.FlagLock)
	if err != nil {
		return false, err
	}
	defer t.Close()
	var cursor maptypes.Cursor
	for {
		key, value, err := t.Sequence(p.ctx, &t.request, &cursor)
		if maptypes.Class(err) == maptypes.ErrNotFound {
			return true, nil
		}
		if err != nil {
			return false, p.failure(t, "sequence", err)
		}
		p.listEntry(t, key, value)
	}
}

// listEntry prints one entry.
func (p *program) listEntry(t *table, key, value []byte) {
	switch {
	case len(key) == 0:
		p.log.Warnf("table %s: empty lookup key value is not allowed", t.spec)
	case len(value) == 0:
		p.warnEmpty(t.spec, key)
	}
	if p.flags&maptypes.FlagSrcRHSIsFile != 0 {
		content, err := decodeFile(value)
		if err != nil {
			p.log.Warnf("table %s: key %s: %v", t.Label(), key, err)
			return
		}
		value = content
	}
	p.out.entry(key, value)
}
