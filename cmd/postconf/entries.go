package main

import (
	"errors"
	"io"
	"strings"
)

// columnPositions are where the columns of a printed entry start, if there is room.
var columnPositions = []int{0, 11, 17, 25, 33, 41, 49, 57}

// printEntries prints the entries of master.cf (-M).
func (pc *postconf) printEntries() error {
	requests, err := parseRequests(pc.args, 2, "-M option requires service_name[/type]")
	if err != nil {
		return err
	}
	return pc.forServices(requests, func(s *service, _ *request) (bool, error) { return true, pc.printEntry(s) })
}

// printEntry prints an entry as the options want it.
func (pc *postconf) printEntry(s *service) error {
	if pc.has(asJSON) {
		return pc.printEntryJSON(s)
	}
	text, err := pc.formatEntry(s, pc.has(fold))
	if err != nil {
		return err
	}
	_, err = io.WriteString(pc.out, text)
	return err
}

// formatEntry returns an entry with aligned columns and, if folded, options on lines of their own.
func (pc *postconf) formatEntry(s *service, fold bool) (string, error) {
	w := &lineWriter{fold: fold}
	for i, column := range s.columns[:minColumns] {
		for first := true; i > 0 && (first || w.length < columnPositions[i]); first = false {
			w.add(" ")
		}
		w.add(column)
	}
	if err := pc.printArguments(w, s, 3); err != nil {
		return "", err
	}
	return w.text.String() + "\n", nil
}

// lineWriter collects a line that may be folded.
type lineWriter struct {
	text   strings.Builder
	length int // of the current line, or lineLimit when the next item must not follow on it
	fold   bool
}

func (w *lineWriter) add(s string) {
	w.text.WriteString(s)
	w.length += len(s)
}

// separate makes room for an item of the given length.
func (w *lineWriter) separate(length int) {
	switch {
	case w.length <= len(indent):
	case !w.fold || w.length+1+length < lineLimit:
		w.add(" ")
	default:
		w.text.WriteString("\n" + indent)
		w.length = len(indent)
	}
}

// printArguments adds what follows the command. An option -o stays on one line with its value, and nothing else; extra
// is what such a pair counts beyond its text.
func (pc *postconf) printArguments(w *lineWriter, s *service, extra int) error {
	rest := s.columns[minColumns:]
	for len(rest) > 0 && isOption(rest[0]) {
		option := rest[0]
		rest = rest[1:]
		if !strings.HasPrefix(option, "-o") || len(rest) == 0 {
			w.separate(len(option))
			w.add(option)
			continue
		}
		value := rest[0]
		rest = rest[1:]
		if err := pc.printOverride(w, s, option, value, extra); err != nil {
			return err
		}
	}
	for i, argument := range rest {
		w.separate(len(argument))
		if i > 0 { // Postfix never puts braces around the first one
			argument = braced(argument)
		}
		w.add(argument)
	}
	return nil
}

// printOverride adds an option -o with its value.
func (pc *postconf) printOverride(w *lineWriter, s *service, option, value string, extra int) error {
	if pc.has(expand) {
		var err error
		if value, err = pc.expandValue(value, s, pc.mode); err != nil {
			return err
		}
	}
	value = braced(value)
	length := len(option) + len(value) + extra
	w.length = lineLimit
	w.separate(length)
	w.add(option + " " + value)
	w.length = lineLimit
	return nil
}

// braced puts braces around text that has white space.
func braced(text string) string {
	if strings.ContainsAny(text, blanks) {
		return "{" + text + "}"
	}
	return text
}

// request is a pattern of the form service[/type[/column or parameter]], where * stands for everything.
type request struct {
	text    string
	parts   []string
	matches int
}

func parseRequests(args []string, maxParts int, usage string) ([]*request, error) {
	var requests []*request
	for _, arg := range args {
		parts, ok := splitPattern(arg, 1, maxParts)
		if !ok {
			return nil, errors.New(usage)
		}
		for len(parts) < maxParts {
			parts = append(parts, "*")
		}
		requests = append(requests, &request{text: arg, parts: parts})
	}
	return requests, nil
}

// splitPattern splits a/b/c, and tells whether the number of parts is right and * stands alone.
func splitPattern(pattern string, minParts, maxParts int) ([]string, bool) {
	parts := strings.FieldsFunc(pattern, func(r rune) bool { return r == '/' })
	if strings.HasPrefix(pattern, "/") || len(parts) < minParts || len(parts) > maxParts {
		return nil, false
	}
	for _, part := range parts {
		if part != "*" && strings.Contains(part, "*") {
			return nil, false
		}
	}
	return parts, true
}

// matchService compares the service name and type at the start of a pattern, or of an entry's columns.
func matchService(pattern []string, name, kind string) bool {
	return (pattern[0] == "*" || pattern[0] == name) && (pattern[1] == "*" || pattern[1] == kind)
}

// forServices calls show for each service and each request that matches it, or once with no request when there are none.
// Show tells whether there was something to show.
func (pc *postconf) forServices(requests []*request, show func(*service, *request) (bool, error)) error {
	for _, s := range pc.services {
		if len(requests) == 0 {
			if _, err := show(s, nil); err != nil {
				return err
			}
		}
		for _, r := range requests {
			if !matchService(r.parts, s.columns[0], s.columns[columnType]) {
				continue
			}
			shown, err := show(s, r)
			if err != nil {
				return err
			}
			if shown {
				r.matches++
			}
		}
	}
	for _, r := range requests {
		if r.matches == 0 {
			pc.warn("unmatched request: \"%s\"", r.text)
		}
	}
	return nil
}
