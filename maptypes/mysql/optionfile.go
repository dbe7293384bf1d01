package mysql

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// defaultOptionFiles are read when a table names a group and no file.
var defaultOptionFiles = []string{"/etc/my.cnf", "/etc/mysql/my.cnf"}

// clientGroups are the groups that every client reads.
var clientGroups = []string{"client", "client-server", "client-mariadb"}

// options are what was found in MySQL option files
// (https://mariadb.com/kb/en/configuring-mariadb-with-option-files/). Names have
// "-" for "_"; an option without a value has "1".
type options struct {
	values map[string]string
	groups []string
	files  []string // that were read
}

// readOptions reads the file, or the default files when none is named, for the
// groups that every client reads and one more.
func readOptions(file, group string) (*options, error) {
	o := &options{values: map[string]string{}, groups: clientGroups}
	if group != "" {
		o.groups = append(slices.Clone(clientGroups), group)
	}
	if file != "" {
		return o, o.read(file, 0)
	}
	if group == "" {
		return o, nil
	}
	for _, file := range defaultOptionFiles {
		// A file that the service may not read is not meant for it.
		if err := o.read(file, 0); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
	}
	return o, nil
}

// maxInclude is how deep option files may include each other.
const maxInclude = 10

func (o *options) read(path string, depth int) error {
	if depth > maxInclude {
		return maptypes.Configf("%s: option files include each other more than %d deep", path, maxInclude)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open option file %s: %w", path, maptypes.SystemError(err))
	}
	defer f.Close()
	o.files = append(o.files, path)
	wanted := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := textfile.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '!':
			if err := o.include(line, depth+1); err != nil {
				return err
			}
		case line[0] == '[':
			group, _, _ := strings.Cut(line[1:], "]")
			wanted = slices.Contains(o.groups, group)
		case wanted:
			name, value := splitOption(line)
			o.values[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read option file %s: %w", path, maptypes.SystemError(err))
	}
	return nil
}

// include follows !include and !includedir.
func (o *options) include(line string, depth int) error {
	word, path, _ := strings.Cut(line, " ")
	path = textfile.TrimSpace(path)
	switch word {
	case "!include":
		return o.read(path, depth)
	case "!includedir":
		paths, err := filepath.Glob(filepath.Join(path, "*.cnf"))
		if err != nil {
			return maptypes.Configf("%s: %w", line, err)
		}
		for _, path := range paths {
			if err := o.read(path, depth); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
	}
	return nil
}

// splitOption splits "name = value # comment". Quotes around the value are
// removed, and backslash sequences are replaced, as the C library does.
func splitOption(line string) (name, value string) {
	name, value, ok := strings.Cut(line, "=")
	name = strings.ReplaceAll(textfile.TrimSpace(name), "_", "-")
	name = strings.TrimPrefix(name, "loose-")
	if !ok {
		name, _, _ = strings.Cut(name, "#")
		return textfile.TrimSpace(name), "1"
	}
	return name, optionValue(textfile.TrimSpace(value))
}

func optionValue(text string) string {
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return unescape(text[1 : 1+end])
		}
	}
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text = textfile.TrimSpace(text[:i])
	}
	return unescape(text)
}

var sequences = strings.NewReplacer(`\b`, "\b", `\t`, "\t", `\n`, "\n", `\r`, "\r", `\s`, " ", `\"`, `"`, `\'`, "'", `\\`, `\`)

func unescape(text string) string { return sequences.Replace(text) }

// get returns the value of an option, or an empty string.
func (o *options) get(name string) string { return o.values[name] }

// on reports whether an option is there and not switched off.
func (o *options) on(name string) bool {
	switch strings.ToLower(o.values[name]) {
	case "", "0", "off", "false", "no":
		return false
	}
	return true
}
