package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// editMaster changes, removes or comments out entries of master.cf, or changes their columns or options -o.
func (pc *postconf) editMaster() error {
	requests, err := pc.masterRequests()
	if err != nil {
		return err
	}
	e := &masterEdit{pc: pc, path: pc.path("master.cf"), requests: requests}
	return editFile(e.path, e.rewrite)
}

// masterEdit is an edit of master.cf in progress.
type masterEdit struct {
	pc       *postconf
	path     string
	requests []*masterRequest
	lines    cfLines
}

// rewrite returns the new text of master.cf.
func (e *masterEdit) rewrite(text string) (string, error) {
	e.lines = cfLines{rest: text}
	matched := false // the entry that the line belongs to was asked for
	for line, ok := e.lines.next(); ok; line, ok = e.lines.next() {
		var entry *service
		if !isContinuation(line) {
			var err error
			if entry, matched, err = e.apply(line); err != nil {
				return "", err
			}
		}
		if err := e.write(line, entry, matched); err != nil {
			return "", err
		}
	}
	if err := e.finish(); err != nil {
		return "", err
	}
	return e.lines.out.String(), nil
}

// write writes the entry that replaces the line, or the line if nothing was asked for.
func (e *masterEdit) write(line string, entry *service, matched bool) error {
	switch {
	case entry != nil:
		return e.writeEntry(entry)
	case !matched:
		e.lines.out.WriteString(line)
	case e.pc.has(commentOut):
		e.lines.out.WriteString("#" + line)
	}
	return nil
}

func (e *masterEdit) writeEntry(entry *service) error {
	text, err := e.pc.formatEntry(entry, true)
	if err != nil {
		return err
	}
	e.lines.out.WriteString(text)
	return nil
}

// apply does what was asked for the entry that starts with line. It returns the entry to be written instead, if any.
func (e *masterEdit) apply(line string) (entry *service, matched bool, err error) {
	name, kind, err := e.nameAndType(line)
	if err != nil {
		return nil, false, err
	}
	number := e.lines.number
	for _, r := range e.requests {
		match, replacement, err := e.match(r, name, kind)
		if err != nil {
			return nil, false, err
		}
		if !match {
			continue
		}
		matched = true
		if r.matches++; r.matches == 1 && replacement != nil {
			entry = replacement
		}
		if !e.pc.has(masterFields | masterParams) {
			continue
		}
		if entry == nil {
			if entry, err = e.parse(line, number); err != nil {
				return nil, false, err
			}
		}
		if err := e.change(entry, r); err != nil {
			return nil, false, err
		}
	}
	return entry, matched, nil
}

// match tells whether a request is about the entry with the given name and type. With -Me it is also about one that has
// the new entry's name, which must not be there twice; the new entry is returned, too.
func (e *masterEdit) match(r *masterRequest, name, kind string) (match bool, replacement *service, err error) {
	match = matchService(r.parts, name, kind)
	if !e.pc.has(masterEntries) || !e.pc.has(edit) {
		return match, nil, nil
	}
	if replacement, err = e.replacement(r); err != nil {
		return false, nil, err
	}
	return match || matchService(replacement.columns, name, kind), replacement, nil
}

// nameAndType reads the first two columns.
func (e *masterEdit) nameAndType(line string) (name, kind string, err error) {
	place := fmt.Sprintf("file %s: line %d", e.path, e.lines.number)
	columns := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(blanks, r) })
	if len(columns) < 2 {
		return "", "", fmt.Errorf("%s: specify service name and type on the same line", place)
	}
	name, kind = columns[0], columns[columnType]
	if strings.Contains(name, "=") {
		return "", "", fmt.Errorf("%s: service name syntax \"%s\" is unsupported with %s", place, name, masterEditOptions)
	}
	if strings.ContainsAny(kind, "=/") {
		return "", "", fmt.Errorf("%s: service type syntax \"%s\" is unsupported with %s", place, kind, masterEditOptions)
	}
	return name, kind, nil
}

// parse reads the entry that starts with line.
func (e *masterEdit) parse(line string, number int) (*service, error) {
	entry, err := e.pc.parseService(e.lines.entry(line))
	if errors.Is(err, errFieldCount) {
		return nil, fmt.Errorf("file %s: line %d: %w", e.path, number, err)
	}
	return entry, err
}

// replacement returns the entry that -Me gives.
func (e *masterEdit) replacement(r *masterRequest) (*service, error) {
	if r.entry != nil {
		return r.entry, nil
	}
	var err error
	if r.entry, err = e.pc.parseService(r.value); errors.Is(err, errFieldCount) {
		return nil, fmt.Errorf("%w: \"%s\"", err, r.text)
	}
	return r.entry, err
}

// change changes a column of an entry or an option -o.
func (e *masterEdit) change(entry *service, r *masterRequest) error {
	if e.pc.has(masterParams) {
		entry.setParameter(r.parts[2], r.value, e.pc.has(exclude))
		return nil
	}
	if r.column == columnCommand {
		entry.columns = append(entry.columns[:columnCommand], splitColumns(r.value)...)
		e.pc.normalizeArguments(entry)
	} else {
		entry.columns[r.column] = r.value
	}
	return checkColumns(entry.columns, r.value)
}

// setParameter changes or removes all options -o name=value. One that is not there is added after the other options.
func (s *service) setParameter(name, value string, remove bool) {
	found := false
	i := minColumns
	for ; i < len(s.columns) && isOption(s.columns[i]); i++ {
		if !strings.HasPrefix(s.columns[i], "-o") || i+1 == len(s.columns) {
			continue
		}
		i++
		if !strings.HasPrefix(s.columns[i], name+"=") {
			continue
		}
		found = true
		if remove {
			s.columns = slices.Delete(s.columns, i-1, i+1)
			i -= 2
		} else {
			s.columns[i] = name + "=" + value
		}
	}
	if !found && !remove {
		s.columns = slices.Insert(s.columns, i, "-o", name+"="+value)
	}
}

// finish adds the entries of -Me that replace nothing, and reports other requests that nothing matched.
func (e *masterEdit) finish() error {
	for _, r := range e.requests {
		switch {
		case r.matches > 0:
		case !e.pc.has(masterEntries):
			e.pc.warn("unmatched service_name/type: \"%s\"", r.text)
		case e.pc.has(edit):
			entry, err := e.replacement(r)
			if err != nil {
				return err
			}
			if err := e.writeEntry(entry); err != nil {
				return err
			}
		}
	}
	return nil
}
