package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Positions of the columns of master.cf that have a meaning here.
const (
	columnType    = 1
	columnPrivate = 2
	columnChroot  = 4
	columnWakeup  = 5
	columnMaxProc = 6
	columnCommand = 7
	minColumns    = 8
)

// columnNames are the names of the columns for -F.
var columnNames = []string{"service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"}

// service is an entry of master.cf as it is printed.
type service struct {
	columns []string          // options split and { } removed: -o and name=value are two
	params  map[string]string // what -o sets; nil without -o
	used    map[string]bool   // settings that something refers to
}

// name is the service's name and type.
func (s *service) name() string { return s.columns[0] + "/" + s.columns[columnType] }

// readMaster reads master.cf. When it is not what was asked for, it may be missing.
func (pc *postconf) readMaster(required bool) error {
	pc.settings = map[string]map[string]string{}
	path := pc.path("master.cf")
	text, err := config.ReadFile(path)
	if err != nil {
		if required {
			return err
		}
		pc.warn("%v", err)
		return nil
	}
	r := textfile.NewReader(strings.NewReader(text), path)
	r.Warn = func(m string) { pc.warn("%s", m) }
	for {
		line, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s, err := pc.parseService(line.CString())
		if errors.Is(err, errFieldCount) {
			return fmt.Errorf("file %s: line %d: %w", path, line.Number, err)
		}
		if err != nil {
			return err
		}
		pc.addSettings(s)
		pc.services = append(pc.services, s)
	}
}

// errFieldCount is the error of an entry with too few columns. Postfix's messages name the place of such an entry, but not
// that of one with a wrong column.
var errFieldCount = errors.New("bad field count")

// parseService reads an entry.
func (pc *postconf) parseService(line string) (*service, error) {
	s := &service{columns: splitColumns(line)}
	if len(s.columns) < minColumns {
		return nil, errFieldCount
	}
	if err := checkColumns(s.columns, line); err != nil {
		return nil, err
	}
	pc.normalizeArguments(s)
	return s, nil
}

// splitColumns splits at white space outside of braces.
func splitColumns(line string) (columns []string) {
	for column, rest, ok := textfile.NextWord(line, blanks); ok; column, rest, ok = textfile.NextWord(rest, blanks) {
		columns = append(columns, column)
	}
	return columns
}

// addSettings notes what the options -o set. As in Postfix, entries with the same name and type share their settings.
func (pc *postconf) addSettings(s *service) {
	for _, setting := range s.settings() {
		name, value, err := config.SplitNameValue(setting)
		if err != nil {
			continue // the service will complain
		}
		if pc.settings[s.name()] == nil {
			pc.settings[s.name()] = map[string]string{}
		}
		pc.settings[s.name()][name] = value
	}
	if s.params = pc.settings[s.name()]; s.params != nil {
		s.used = map[string]bool{}
	}
}

// checkColumns refuses columns whose form is wrong.
func checkColumns(columns []string, line string) error {
	bad := func(i int) error {
		line = strings.ReplaceAll(line, "\n", " ")
		return fmt.Errorf("invalid %s field \"%s\" in \"%s\"", columnNames[i], columns[i], line)
	}
	if !slices.Contains([]string{"unix", "fifo", "inet", "pass", "unix-dgram"}, columns[columnType]) {
		return bad(columnType)
	}
	for i := columnPrivate; i <= columnChroot; i++ {
		if c := columns[i]; c != "y" && c != "n" && c != "-" {
			return bad(i)
		}
	}
	if wakeup := strings.TrimSuffix(columns[columnWakeup], "?"); wakeup != "-" && !digitsOnly(wakeup) {
		return bad(columnWakeup)
	}
	if limit := columns[columnMaxProc]; limit != "-" && !digitsOnly(limit) {
		return bad(columnMaxProc)
	}
	return nil
}

func digitsOnly(s string) bool { return strings.Trim(s, "0123456789") == "" }

// normalizeArguments splits options that stand together (-vo, -oname=value) and removes the braces of { arguments }.
func (pc *postconf) normalizeArguments(s *service) {
	i := minColumns
	for ; i < len(s.columns) && isOption(s.columns[i]); i++ {
		option := s.columns[i]
		if at := strings.IndexByte(option[1:], 'o') + 1; at > 1 {
			s.columns = slices.Insert(s.columns, i+1, "-"+option[at:])
			s.columns[i] = option[:at]
			continue
		}
		if !strings.HasPrefix(option, "-o") {
			continue
		}
		if len(option) > 2 {
			s.columns = slices.Insert(s.columns, i+1, option[2:])
			s.columns[i] = "-o"
		}
		if i++; i < len(s.columns) && strings.HasPrefix(s.columns[i], "{") {
			s.columns[i] = pc.normalizeSetting(pc.stripArgument(s.columns[i]))
		}
	}
	for ; i < len(s.columns); i++ {
		if strings.HasPrefix(s.columns[i], "{") {
			s.columns[i] = pc.stripArgument(s.columns[i])
		}
	}
}

// isOption tells whether an argument is an option of the service's program, after which there may be more.
func isOption(argument string) bool { return strings.HasPrefix(argument, "-") && argument != "--" }

func (pc *postconf) stripArgument(argument string) string {
	inside, err := textfile.UnbraceTrim(argument)
	if err != nil {
		pc.warn("master.cf: %v", err)
	}
	return inside
}

// normalizeSetting removes the space around the equals sign.
func (pc *postconf) normalizeSetting(setting string) string {
	name, value, err := config.SplitNameValue(setting)
	if err != nil {
		pc.warn("master.cf: %v: \"%s\"", err, setting)
		return setting
	}
	return name + "=" + value
}

// settings returns the arguments of the options -o.
func (s *service) settings() []string {
	var list []string
	for i := minColumns; i < len(s.columns) && isOption(s.columns[i]); i++ {
		if strings.HasPrefix(s.columns[i], "-o") && i+1 < len(s.columns) {
			i++
			list = append(list, s.columns[i])
		}
	}
	return list
}
