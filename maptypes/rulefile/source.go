package rulefile

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Source is the text that a table is read from.
type Source struct {
	Env   *maptypes.Env
	Type  string // "regexp"
	Name  string // path of a file, or "{{rule}, {rule} ...}"
	Flags maptypes.Flags

	// Watch names the files that were read.
	Watch []string
}

// ErrReadOnly returns the error for opening a rule table for writing, or nil.
func ErrReadOnly(typ, name string, mode maptypes.Mode) error {
	if mode.Writable() {
		return maptypes.Configf("%s:%s map requires O_RDONLY access mode", typ, name)
	}
	return nil
}

// Each calls do with the line number and text of every logical line. Errors:
// the file cannot be read, or the braces of an inline table do not match.
func (s *Source) Each(do func(line int, text string)) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	name := s.Name
	if isInline(name) {
		name = s.Type + " map"
	}
	lines := textfile.NewReader(r, name)
	lines.Warn = func(message string) { s.Env.Warnf("%s", message) }
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s map %s: read error: %w", s.Type, s.Name, maptypes.SystemError(err))
		}
		do(line.Number, line.CString())
	}
}

// open returns the text of the file or of the inline table.
func (s *Source) open() (io.ReadCloser, error) {
	if isInline(s.Name) {
		text, err := inlineText(s.Name)
		if err != nil {
			return nil, maptypes.Configf("%s map: %w", s.Type, err)
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}
	s.Watch = append(s.Watch, s.Name)
	f, err := os.Open(s.Name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Name, maptypes.SystemError(err))
	}
	return f, nil
}

// Warnf logs a warning about one line of the table.
func (s *Source) Warnf(line int, format string, args ...any) {
	s.Env.Warnf("%s map %s, line %d: %s", s.Type, s.Name, line, fmt.Sprintf(format, args...))
}

// FileValue returns what stands in the place of a value that names files
// (FlagSrcRHSIsFile), and watches the files.
func (s *Source) FileValue(value string) (string, error) {
	content, paths, err := maptypes.ReadRHS(value)
	s.Watch = append(s.Watch, paths...)
	return content, err
}
