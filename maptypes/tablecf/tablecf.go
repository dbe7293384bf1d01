// Package tablecf reads the settings of a table that has some: from a file of
// its own, "type:/etc/postfix/users.cf", or in the older form from main.cf,
// where "type:users" has its parameters as users_hosts, users_query and so on
// (mysql_table(5), ldap_table(5) and others).
package tablecf

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Settings are the parameters of one table. The getters return the default
// when a parameter is bad, and keep the first error for Err, so that a driver
// reads all its settings and asks once. They are used by one goroutine.
type Settings struct {
	name   string // as in "type:name"
	values map[string]value
	param  func(name string) (string, bool) // main.cf; nil when there is a file
	main   func(name string) (string, bool) // main.cf, or nil
	asked  map[string]bool
	warnf  func(format string, args ...any)
	files  []string // besides the table's own
	err    error
}

type value struct {
	text string
	line int
}

// Load reads the settings of the table called name: a file when the name begins
// with a slash or a dot, else parameters of main.cf.
func Load(env *maptypes.Env, name string) (*Settings, error) {
	s := &Settings{name: name, asked: map[string]bool{}, warnf: env.Warnf, main: env.Param}
	if !s.isFile() {
		s.param = env.Param
		if s.param == nil {
			s.param = func(string) (string, bool) { return "", false }
		}
		return s, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, maptypes.SystemError(err))
	}
	defer f.Close()
	if err := s.read(f); err != nil {
		return nil, err
	}
	return s, nil
}

// isFile tells the two forms apart.
func (s *Settings) isFile() bool { return s.name != "" && (s.name[0] == '/' || s.name[0] == '.') }

// Watch names the files that the settings were read from so far, for
// Opened.Watch. Main.cf is not among them.
func (s *Settings) Watch() []string {
	if !s.isFile() {
		return s.files
	}
	return append([]string{s.name}, s.files...)
}

// read takes in the lines of a file. Messages show names only: a value may be a
// password.
func (s *Settings) read(f io.Reader) error {
	s.values = map[string]value{}
	lines := textfile.NewReader(f, s.name)
	lines.Warn = func(message string) { s.warnf("%s", message) }
	for {
		line, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return maptypes.Retryf("%w", err)
		}
		name, text, err := split(line.CString())
		if err != nil {
			return maptypes.Configf("%s, line %d: %w", s.name, line.Number, err)
		}
		if old, ok := s.values[name]; ok && old.text != text {
			s.warnf("%s, line %d: overriding earlier entry: %s", s.name, line.Number, name)
		}
		s.values[name] = value{text: text, line: line.Number}
	}
}

// split splits "name = value". Of a bad line the error shows the first word.
func split(line string) (name, text string, err error) {
	line = textfile.TrimSpace(line)
	end := strings.IndexFunc(line, func(r rune) bool { return r == '=' || r < 0x80 && textfile.IsSpace(byte(r)) })
	if end < 0 {
		end = len(line)
	}
	if end == 0 {
		return "", "", fmt.Errorf("missing attribute name")
	}
	name = line[:end]
	text, ok := strings.CutPrefix(textfile.TrimSpace(line[end:]), "=")
	if !ok {
		return "", "", fmt.Errorf("missing '=' after attribute name: \"%s\"", name)
	}
	return name, textfile.TrimSpace(text), nil
}

// Known declares parameters that the type has but does not always ask for.
func (s *Settings) Known(names ...string) {
	for _, name := range names {
		s.asked[name] = true
	}
}

// WarnUnused logs a warning for each parameter of the file that nobody has
// asked for. A driver calls it when it has read all that it knows.
func (s *Settings) WarnUnused() {
	var unused []string
	for name := range s.values {
		if !s.asked[name] {
			unused = append(unused, name)
		}
	}
	sort.Slice(unused, func(i, j int) bool { return s.values[unused[i]].line < s.values[unused[j]].line })
	for _, name := range slices.Compact(unused) {
		s.warnf("%s, line %d: unused parameter: %s", s.name, s.values[name].line, name)
	}
}

// Err returns the first error of the getters: of class ErrConfig, or of no class
// for a secret's file that cannot be read.
func (s *Settings) Err() error { return s.err }

// fail keeps the first error. In front stands the file; a parameter of main.cf
// says by its name where it is.
func (s *Settings) fail(format string, args ...any) {
	if s.err != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if s.isFile() {
		text = s.name + ": " + text
	}
	s.err = maptypes.Configf("%s", text)
}

// full is the name of a parameter as its owner wrote it.
func (s *Settings) full(name string) string {
	if s.isFile() {
		return name
	}
	return s.name + "_" + name
}

// Lookup returns the text of a parameter, and whether it is there.
func (s *Settings) Lookup(name string) (text string, ok bool) {
	s.asked[name] = true
	if s.param != nil {
		return s.param(s.full(name))
	}
	v, ok := s.values[name]
	return v.text, ok
}
