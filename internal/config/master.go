package config

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Service is one entry of master.cf; see master(5). Defaults are filled in.
type Service struct {
	Name             string // as written: a path below the queue directory, or for inet [host:]port
	Type             string // inet, unix, unix-dgram, fifo or pass
	Host, Port       string // inet only; Host is empty for all of inet_interfaces
	Private          bool
	Unprivileged     bool
	Chroot           bool
	ChrootDefault    bool // the chroot column is -
	Wakeup           time.Duration
	WakeupOnlyIfUsed bool // the wakeup time ends in ?
	MaxProc          int  // 0 is no limit
	Command          string
	Args             []string // what follows the command; { } removed
	Columns          []string // all columns as they are written
	File             string
	Line             int // first line of the entry
}

// LoadMaster reads dir/master.cf. The services that master_service_disable matches are left out. Of several entries
// with the same name and type the last one counts, with a warning. The error is an *Error.
func LoadMaster(dir string, p *Params) ([]Service, []string, error) {
	path := filepath.Join(dir, "master.cf")
	text, err := ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m := masterFile{path: path, params: p}
	if err := m.defaults(); err != nil {
		return nil, nil, err
	}
	err = m.parse(text)
	return m.services, m.warnings, err
}

// masterFile is a master.cf that is being read.
type masterFile struct {
	path     string
	params   *Params
	disabled matchList
	chroot   string // default of the chroot column
	maxProc  string // default of the maxproc column
	services []Service
	warnings []string
}

// defaults looks up what the parameters say about the columns.
func (m *masterFile) defaults() error {
	limit, err := m.params.Int("default_process_limit")
	if err != nil {
		return err
	}
	m.maxProc = strconv.Itoa(limit)
	value, err := m.params.String("compatibility_level")
	if err != nil {
		return err
	}
	level, err := parseCompatLevel(value)
	if err != nil {
		return m.params.fail("compatibility_level", value, err, "%v: compatibility_level = %s", err, value)
	}
	m.chroot = "n"
	if level.compare(compatLevel{1}) < 0 {
		m.chroot = "y"
	}
	patterns, err := m.params.String("master_service_disable")
	if err != nil {
		return err
	}
	m.disabled = newMatchList(patterns)
	protocols, err := m.params.String("inet_protocols")
	if err != nil {
		return err
	}
	if strings.Trim(protocols, ","+separators) == "" {
		m.disabled = append(matchList{"inet"}, m.disabled...)
		m.warnings = append(m.warnings,
			fmt.Sprintf("all network protocols are disabled (inet_protocols = %s)", protocols),
			"disabling all type \"inet\" services in master.cf")
	}
	return nil
}

func (m *masterFile) parse(text string) error {
	r := textfile.NewReader(strings.NewReader(text), m.path)
	r.Warn = func(message string) { m.warnings = append(m.warnings, oneLine(message)) }
	for {
		line, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &Error{File: m.path, Err: err, text: err.Error()}
		}
		e := masterEntry{masterFile: m, line: line.Number, rest: line.CString()}
		service, err := e.parse()
		switch {
		case err != nil:
			return err
		case service != nil:
			m.add(*service)
		}
	}
}

// add appends a service, or replaces the one with the same endpoint.
func (m *masterFile) add(s Service) {
	for i, old := range m.services {
		if old.Type == s.Type && old.Endpoint() == s.Endpoint() {
			m.warnings = append(m.warnings, fmt.Sprintf(
				"duplicate master.cf entry for service \"%s\" (%s) -- using the last entry", old.Name, old.Endpoint()))
			m.services[i] = s
			return
		}
	}
	m.services = append(m.services, s)
}

// masterEntry is a line that is being read.
type masterEntry struct {
	*masterFile
	line int
	rest string
	cols []string
}

func (e *masterEntry) parse() (*Service, error) {
	s := &Service{File: e.path, Line: e.line}
	s.Name, e.rest = cutColumn(e.rest)
	e.cols = []string{s.Name}
	var err error
	if s.Type, err = e.text("transport type", ""); err != nil {
		return nil, err
	}
	if e.disabled.match(s.Name + "/" + s.Type) {
		return nil, nil
	}
	if err := e.transport(s); err != nil {
		return nil, err
	}
	if s.Private, err = e.bool("private", "y"); err != nil {
		return nil, err
	}
	if s.Type == "inet" && s.Private {
		return nil, e.fail("private", "y", "inet service cannot be private")
	}
	if s.Unprivileged, err = e.bool("unprivileged", "y"); err != nil {
		return nil, err
	}
	if s.Chroot, err = e.bool("chroot", e.chroot); err != nil {
		return nil, err
	}
	s.ChrootDefault = e.cols[len(e.cols)-1] == "-"
	wakeup, err := e.int("wakeup_time", "0")
	if err != nil {
		return nil, err
	}
	s.Wakeup = time.Duration(wakeup) * time.Second
	s.WakeupOnlyIfUsed = wakeup > 0 && strings.HasSuffix(e.cols[len(e.cols)-1], "?")
	if s.MaxProc, err = e.int("max_proc", e.maxProc); err != nil {
		return nil, err
	}
	if s.Command, err = e.text("command", ""); err != nil {
		return nil, err
	}
	s.Args, err = e.arguments()
	s.Columns = e.cols
	return s, err
}

// transport checks the type, and for inet splits the name.
func (e *masterEntry) transport(s *Service) error {
	switch s.Type {
	case "unix", "unix-dgram", "fifo", "pass":
		return nil
	case "inet":
		host, port, err := splitHostPort(s.Name)
		if err != nil {
			return e.fail("name", s.Name, "%v in \"%s\"", err, s.Name)
		}
		s.Host, s.Port = host, port
		return nil
	}
	return e.fail("transport type", s.Type, "bad transport type: %s", s.Type)
}

// cutColumn cuts the next column; braces mean nothing before the arguments.
func cutColumn(text string) (column, rest string) {
	text = strings.TrimLeft(text, separators)
	if n := strings.IndexAny(text, separators); n >= 0 {
		return text[:n], text[n:]
	}
	return text, ""
}

// text cuts the next column. A column without default must not be -.
func (e *masterEntry) text(field, standard string) (string, error) {
	var value string
	value, e.rest = cutColumn(e.rest)
	if value == "" {
		return "", e.fail(field, "", "missing \"%s\" field", field)
	}
	e.cols = append(e.cols, value)
	if value != "-" {
		return value, nil
	}
	if standard == "" {
		return "", e.fail(field, value, "field \"%s\" has no default value", field)
	}
	return standard, nil
}

func (e *masterEntry) bool(field, standard string) (bool, error) {
	value, err := e.text(field, standard)
	if err != nil {
		return false, err
	}
	if value != "y" && value != "n" {
		return false, e.fail(field, value, "field \"%s\": bad value: \"%s\"", field, value)
	}
	return value == "y", nil
}

// int reads a number; as in Postfix, what follows its digits does not count. A number beyond 31 bits counts as the
// largest one (Postfix takes its lower bits).
func (e *masterEntry) int(field, standard string) (int, error) {
	value, err := e.text(field, standard)
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(value) && '0' <= value[n] && value[n] <= '9' {
		n++
	}
	if n == 0 {
		return 0, e.fail(field, value, "field \"%s\": bad value: \"%s\"", field, value)
	}
	number, err := strconv.ParseInt(value[:n], 10, 32)
	if err != nil {
		return math.MaxInt32, nil
	}
	return int(number), nil
}

func (e *masterEntry) arguments() ([]string, error) {
	var args []string
	for {
		arg, rest, ok := textfile.NextWord(e.rest, separators)
		if !ok {
			return args, nil
		}
		e.rest = rest
		e.cols = append(e.cols, arg)
		if strings.HasPrefix(arg, "{") {
			var err error
			if arg, err = textfile.UnbraceTrim(arg); err != nil {
				return nil, e.fail("command", arg, "%v", err)
			}
		}
		args = append(args, arg)
	}
}

func (e *masterEntry) fail(field, value, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{
		File: e.path, Line: e.line, Param: field, Value: value, Err: err,
		text: oneLine(fmt.Sprintf("%s: line %d: %v", e.path, e.line, err)),
	}
}
