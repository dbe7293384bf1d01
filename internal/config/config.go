// Package config reads main.cf and master.cf as Postfix does: logical lines, $-expansion, built-in defaults, and values
// with types and limits. See postconf(5) and master(5).
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DefaultDir is the configuration directory when neither an option nor the environment names one. A build may change it
// with the linker's -X option.
var DefaultDir = "/etc/postfix"

// Dir returns the configuration directory: the one that an option named, or else the one in the environment variable
// MAIL_CONFIG, or else DefaultDir.
func Dir(flagDir string) string {
	if flagDir != "" {
		return flagDir
	}
	if dir, ok := os.LookupEnv("MAIL_CONFIG"); ok {
		return dir
	}
	return DefaultDir
}

// Params holds the parameters of one configuration directory. After the last SetOverride it may be used by several
// goroutines.
type Params struct {
	dir      string
	file     string // main.cf's path, or "" when there is none
	entries  map[string]entry
	warnings []string
	machine  *machine
}

// entry is the value that main.cf or an override gives a parameter.
type entry struct {
	value string
	line  int  // in main.cf; 0 for an override
	over  bool // set by an override
}

// New returns parameters that do not come from a file.
func New(dir string, values map[string]string) *Params {
	p := &Params{dir: dir, entries: map[string]entry{}, machine: newMachine()}
	for name, value := range values {
		p.SetOverride(name, value)
	}
	return p
}

// Load reads dir/main.cf and then applies the overrides. The error is an *Error.
func Load(dir string, overrides []Override) (*Params, error) {
	p := New(dir, nil)
	p.file = filepath.Join(dir, "main.cf")
	text, err := ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	if err := p.parse(text); err != nil {
		return nil, err
	}
	for _, o := range overrides {
		p.SetOverride(o.Name, o.Value)
	}
	return p, nil
}

// parse adds the settings of main.cf's text.
func (p *Params) parse(text string) error {
	dirSet := false // the file overrides the directory's own entry, with a warning
	return parseSettings(p.file, text, p.warn, func(name, value string, line int) {
		old, set := p.entries[name]
		if name == "config_directory" && !dirSet {
			dirSet, set, old = true, true, entry{value: p.dir}
		}
		if set && old.value != value {
			p.warn(fmt.Sprintf("%s, line %d: overriding earlier entry: %s=%s", p.file, line, name, old.value))
		}
		p.entries[name] = entry{value: value, line: line}
	})
}

// Dir returns the configuration directory.
func (p *Params) Dir() string { return p.dir }

// SetOverride gives a parameter the value of a command-line option -o.
func (p *Params) SetOverride(name, value string) {
	p.entries[name] = entry{value: value, over: true}
}

// IsSet tells whether main.cf or an override sets the parameter.
func (p *Params) IsSet(name string) bool {
	_, ok := p.entries[name]
	return ok
}

// Set returns the settings of main.cf and of the overrides, unexpanded.
func (p *Params) Set() map[string]string {
	set := make(map[string]string, len(p.entries))
	for name, e := range p.entries {
		set[name] = e.value
	}
	return set
}

// Raw returns the unexpanded value: that of an override, or else of main.cf, or else the built-in default.
func (p *Params) Raw(name string) (value string, ok bool) {
	if e, ok := p.entries[name]; ok {
		return e.value, true
	}
	return p.Default(name)
}

// Eval expands the $name references in any text, which counts as trusted.
func (p *Params) Eval(text string) (string, error) {
	value, err := p.expander(p.Raw).Expand(text)
	if err != nil {
		return "", &Error{Value: text, Err: err}
	}
	return value, nil
}

func (p *Params) expander(lookup func(string) (string, bool)) *Expander {
	return &Expander{Lookup: lookup}
}

// Warnings returns what was odd about the file, in Postfix's wording.
func (p *Params) Warnings() []string { return p.warnings }

func (p *Params) warn(message string) { p.warnings = append(p.warnings, oneLine(message)) }

// fail returns an error about a parameter's value.
func (p *Params) fail(name, value string, err error, format string, args ...any) error {
	e := &Error{Param: name, Value: value, Err: err, text: oneLine(fmt.Sprintf(format, args...))}
	if set, ok := p.entries[name]; ok && !set.over {
		e.File, e.Line = p.file, set.line
		e.text = fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.text)
	}
	return e
}

// oneLine keeps a message in one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}
