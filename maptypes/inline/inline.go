// Package inline is the map type inline: (DATABASE_README): a table that is
// written out in its name, "inline:{name=value, { name = text with spaces }}".
package inline

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/memtable"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Driver is the map type inline:.
var Driver = maptypes.Driver{Type: "inline", Open: open}

func open(env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("inline:%s map requires O_RDONLY access mode", name)
	}
	if env.UTF8 && flags&maptypes.FlagUTF8Request != 0 && !utf8.ValidString(name) {
		return nil, maptypes.Configf("bad UTF-8 syntax: \"inline:%s\"; need \"inline:{name=value...}\"", name)
	}
	inside, err := textfile.Unbrace(name)
	if err != nil || inside == "" {
		return nil, maptypes.Configf("bad syntax: \"inline:%s\"; need \"inline:{name=value...}\"", name)
	}
	p := &parser{flags: flags, entries: memtable.New(len(name))}
	if err := p.parse(inside); err != nil {
		want := "value"
		if flags&maptypes.FlagSrcRHSIsFile != 0 {
			want = "filename"
		}
		return nil, fmt.Errorf("%w: \"inline:%s\"; need \"inline:{name=%s...}\"", err, name, want)
	}
	return &maptypes.Opened{
		Table: &table{entries: p.entries},
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: p.files,
	}, nil
}

// parser reads the name of a table.
type parser struct {
	flags   maptypes.Flags
	entries *memtable.Table
	files   []string // with FlagSrcRHSIsFile
}

// parse reads what is between the outer braces. Of several entries with the
// same key the last one counts.
func (p *parser) parse(text string) error {
	for _, element := range textfile.SplitBraceList(text) {
		if err := p.add(element); err != nil {
			return err
		}
	}
	if p.entries.Len() == 0 {
		return maptypes.Configf("empty table")
	}
	return nil
}

// add stores one entry, with or without braces around it.
func (p *parser) add(element string) (err error) {
	if element[0] == '{' {
		if element, err = textfile.UnbraceTrim(element); err != nil {
			return err
		}
	}
	key, value, err := textfile.SplitQuotedName(element)
	if err != nil {
		return err
	}
	if p.flags&maptypes.FlagSrcRHSIsFile != 0 {
		var files []string
		if value, files, err = maptypes.ReadRHS(value); err != nil {
			return err
		}
		p.files = append(p.files, files...)
	}
	folded := []byte(key)
	if p.flags&maptypes.FlagFoldFix != 0 {
		folded = maptypes.AppendLower(folded[:0], folded)
	}
	return p.entries.Set(folded, []byte(value))
}

// table is an open table; it does not change.
type table struct{ entries *memtable.Table }

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	return t.entries.Lookup(r)
}

func (t *table) Sequence(_ context.Context, _ *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	return t.entries.Next(c)
}

func (t *table) Close() error { return nil }
