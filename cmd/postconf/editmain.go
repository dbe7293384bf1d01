package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
)

// mainRequest is what to do with a parameter in main.cf.
type mainRequest struct {
	value string // new value, for -e
	found int    // entries in main.cf
}

// editMain changes, removes or comments out parameters in main.cf.
func (pc *postconf) editMain() error {
	requests, err := pc.mainRequests()
	if err != nil {
		return err
	}
	path := pc.path("main.cf")
	return editFile(path, func(text string) (string, error) { return pc.rewriteMain(path, text, requests), nil })
}

// mainRequests reads the arguments.
func (pc *postconf) mainRequests() (map[string]*mainRequest, error) {
	requests := map[string]*mainRequest{}
	for _, arg := range pc.args {
		name, value, err := pc.mainRequest(arg)
		if err != nil {
			return nil, err
		}
		if old := requests[name]; old != nil && old.value != value {
			pc.warn("ignoring earlier request: '%s = %s'", name, old.value)
		}
		requests[name] = &mainRequest{value: value}
	}
	return requests, nil
}

func (pc *postconf) mainRequest(arg string) (name, value string, err error) {
	text := strings.TrimLeft(arg, whiteSpace)
	switch {
	case strings.Contains(arg, "\n"):
		return "", "", errors.New("-e, -X, or -# accepts no multi-line input")
	case strings.HasPrefix(text, "#"):
		return "", "", errors.New("-e, -X, or -# accepts no comment input")
	case pc.has(edit):
		if name, value, err = config.SplitNameValue(text); err != nil {
			return "", "", fmt.Errorf("%w: \"%s\"", err, text)
		}
		return name, value, nil
	case text == "":
		return "", "", errors.New("-X or -# requires non-blank parameter names")
	case strings.Contains(text, "="):
		return "", "", errors.New("-X or -# requires parameter names without value")
	}
	return strings.TrimRight(text, whiteSpace), "", nil
}

// rewriteMain returns the new text of main.cf.
func (pc *postconf) rewriteMain(path, text string, requests map[string]*mainRequest) string {
	lines := &cfLines{rest: text}
	var current *mainRequest // what continuation lines belong to, if it was asked for
	for line, ok := lines.next(); ok; line, ok = lines.next() {
		name := ""
		if !isContinuation(line) {
			name = line[:strings.IndexAny(line, blanks+"=")]
			if current = requests[name]; current != nil {
				if current.found++; current.found == 2 {
					pc.warn("%s: multiple entries for \"%s\"", path, name)
				}
			}
		}
		switch {
		case current == nil:
			lines.out.WriteString(line)
		case pc.has(commentOut):
			lines.out.WriteString("#" + line)
		case pc.has(edit) && name != "":
			fmt.Fprintf(&lines.out, "%s = %s\n", name, current.value)
		}
	}
	if pc.has(edit) {
		for _, name := range sortedKeys(requests) {
			if r := requests[name]; r.found == 0 {
				fmt.Fprintf(&lines.out, "%s = %s\n", name, r.value)
			}
		}
	}
	return lines.out.String()
}
