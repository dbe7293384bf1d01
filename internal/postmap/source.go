package postmap

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/internal/postmap/alias"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// store puts one entry of a source into a table.
type store func(r *maptypes.Request) error

// readSource reads the entries of a source and stores them. The name is the
// source's in messages; flags are those of the table.
func (p *program) readSource(in io.Reader, name string, flags maptypes.Flags, store store) error {
	src := textfile.NewReader(in, name)
	src.Warn = func(message string) { p.log.Warn(message) }
	var r maptypes.Request
	for {
		line, err := src.Next()
		if err == io.EOF && p.aliases {
			return p.sign(flags, store)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readError(name, err)
		}
		key, value, ok := p.parseEntry(line, name, flags)
		if !ok {
			continue
		}
		r.Key, r.Value, r.Flags = append(r.Key[:0], key...), append(r.Value[:0], value...), flags
		if err := store(&r); err != nil {
			return err
		}
	}
}

// readError words an error of the system as Postfix does; others name the line.
func readError(name string, err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Errorf("read %s: %w", name, maptypes.SystemError(number))
	}
	return err
}

// parseEntry returns key and value of a line. It warns, and returns false, if the
// line is none.
func (p *program) parseEntry(line textfile.Line, name string, flags maptypes.Flags) (key, value string, ok bool) {
	text := line.CString()
	warn := func(format string, args ...any) {
		p.log.Warnf("%s, line %d: "+format, append([]any{name, line.Number}, args...)...)
	}
	if flags&maptypes.FlagUTF8Active != 0 && !utf8.ValidString(text) {
		warn("non-UTF-8 input \"%s\" -- ignoring this line", text)
		return "", "", false
	}
	if p.aliases {
		key, value, ok, err := alias.Parse(text)
		if err != nil {
			warn("%v", err)
		}
		return key, value, ok
	}
	key, value, err := textfile.SplitEntry(text)
	switch {
	case errors.Is(err, textfile.ErrNoValue):
		warn("%v", err)
		return "", "", false
	case err != nil:
		warn("%v -- ignoring this line", err)
		return "", "", false
	}
	if strings.HasSuffix(key, ":") {
		warn("record is in \"key: value\" format; is this an alias file?")
	}
	if flags&maptypes.FlagSrcRHSIsFile != 0 {
		if value, _, err = maptypes.ReadRHS(value); err != nil {
			warn("%v: skipping this entry", err)
			return "", "", false
		}
	}
	return key, value, true
}
