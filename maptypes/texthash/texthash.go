// Package texthash is the map type texthash: (DATABASE_README, postmap(1)): a
// table source that is read into memory as it is, without postmap.
package texthash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/memtable"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Driver is the map type texthash:.
var Driver = maptypes.Driver{Type: "texthash", Open: open}

func open(env *maptypes.Env, path string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if mode != maptypes.ReadOnly {
		return nil, maptypes.Configf("texthash:%s map requires O_RDONLY access mode", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return &maptypes.Opened{Watch: []string{path}}, fmt.Errorf("open database %s: %w", path, maptypes.SystemError(err))
	}
	defer f.Close()
	size := 0
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = int(info.Size())
	}
	l := &loader{env: env, path: path, flags: flags, entries: memtable.New(size)}
	if err := l.load(f); err != nil {
		return &maptypes.Opened{Watch: []string{path}}, err
	}
	l.entries.Fit()
	return &maptypes.Opened{
		Table: &table{entries: l.entries, path: path, flags: flags},
		Flags: flags | maptypes.FlagFixed,
		Fold:  maptypes.FlagFoldFix,
		Watch: []string{path},
	}, nil
}

// table is an open table; it does not change.
type table struct {
	entries *memtable.Table
	path    string
	flags   maptypes.Flags
}

func (t *table) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	value, err := t.entries.Lookup(r)
	if r.Trace != nil && err == nil {
		t.explain(r)
	}
	return value, err
}

func (t *table) Sequence(_ context.Context, _ *maptypes.Request, c *maptypes.Cursor) (key, value []byte, err error) {
	return t.entries.Next(c)
}

func (t *table) Close() error { return nil }

// loader reads a table source.
type loader struct {
	env     *maptypes.Env
	path    string
	flags   maptypes.Flags
	entries *memtable.Table
	key     []byte // the folded key of the current line
	value   []byte // its value
}

// load reads all lines. A line that is no entry is left out with a warning.
func (l *loader) load(r io.Reader) error {
	lines := textfile.NewReader(r, l.path)
	lines.Warn = func(message string) { l.env.Warnf("%s", message) }
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readError(l.path, err)
		}
		if err := l.add(line); err != nil {
			return err
		}
	}
}

// readError is the error of a read, without the line number: it is a property
// of the file.
func readError(path string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Errorf("read %s: %w", path, maptypes.SystemError(errno))
	}
	return err
}

// add stores the entry of one line. The error is that of a duplicate key, which
// makes the whole table unusable unless a FlagDup flag says what to do.
func (l *loader) add(line textfile.Line) error {
	key, value, err := textfile.SplitEntry(line.CString())
	if err != nil {
		l.warn(line, fmt.Sprintf("%v -- ignoring this line", err))
		return nil
	}
	if key[len(key)-1] == ':' {
		l.warn(line, `record is in "key: value" format; is this an alias file?`)
	}
	if l.flags&maptypes.FlagSrcRHSIsFile != 0 {
		if value, _, err = maptypes.ReadRHS(value); err != nil {
			l.warn(line, fmt.Sprintf("%v: skipping this entry", err))
			return nil
		}
	}
	l.key = append(l.key[:0], key...)
	if l.flags&maptypes.FlagFoldFix != 0 {
		l.key = maptypes.AppendLower(l.key[:0], l.key)
	}
	if _, dup := l.entries.Get(l.key); dup {
		switch {
		case l.flags&maptypes.FlagDupIgnore != 0:
			return nil
		case l.flags&maptypes.FlagDupReplace != 0:
		case l.flags&maptypes.FlagDupWarn != 0:
			l.warn(line, fmt.Sprintf("duplicate entry: \"%s\"", key))
			return nil
		default:
			return fmt.Errorf("%s, line %d: duplicate entry: \"%s\"", l.path, line.Number, key)
		}
	}
	l.value = append(l.value[:0], value...)
	if err := l.entries.Set(l.key, l.value); err != nil {
		return fmt.Errorf("%s, line %d: %w", l.path, line.Number, err)
	}
	return nil
}

func (l *loader) warn(line textfile.Line, message string) {
	l.env.Warnf("%s, line %d: %s", l.path, line.Number, message)
}
