package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section is a part of a file that begins with a line "### kind: argument" or "### kind argument".
type section struct{ kind, arg, text string }

// readSections splits a file at its "### " lines. What stands before the first of them is a comment.
func readSections(t *testing.T, path string) []section {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sections []section
	for line := range strings.Lines(string(content)) {
		if head, ok := strings.CutPrefix(line, "### "); ok {
			kind, arg, _ := strings.Cut(strings.TrimSpace(head), " ")
			sections = append(sections, section{strings.TrimSuffix(kind, ":"), arg, ""})
		} else if len(sections) > 0 {
			sections[len(sections)-1].text += line
		}
	}
	return sections
}

// realShape is a configuration as somebody's mail server has it (testdata/real-configs/*.cf), and what is needed to
// bring it to life (the .fill file beside it): servers and their contents, table files, and what to look up.
type realShape struct {
	name     string
	main     string
	master   []string
	root     string            // directory of the table files that have relative names
	files    map[string]string // by absolute path
	servers  []section         // kinds are the keys of serverStarters
	lookups  [][]string        // table, key, and value; without a value the key must not be found
	updates  [][]string        // table, key, value
	noTables []string          // words that look like a table and are only a part of one
}

const realConfigs = "../testdata/real-configs"

func readShape(t *testing.T, name string) *realShape {
	t.Helper()
	s := &realShape{name: name, files: map[string]string{}}
	fill := readSections(t, filepath.Join(realConfigs, name+".fill"))
	for _, part := range fill {
		if part.kind == "root" {
			s.root = part.arg
		}
	}
	for _, part := range append(readSections(t, filepath.Join(realConfigs, name+".cf")), fill...) {
		switch part.kind {
		case "root":
		case "file":
			s.addFile(t, part)
		case "lookups":
			s.lookups = append(s.lookups, fields(part.text)...)
		case "updates":
			s.updates = append(s.updates, fields(part.text)...)
		case "not":
			s.noTables = strings.Fields(part.text)
		default:
			s.servers = append(s.servers, part)
		}
	}
	return s
}

func fields(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Split(strings.TrimSpace(line), " | "))
	}
	return rows
}

// addFile adds a file that is given as "name" or "name like other ...": the other files one after the other, in which the
// settings of this one replace those of the same name.
func (s *realShape) addFile(t *testing.T, part section) {
	t.Helper()
	words := strings.Fields(part.arg)
	switch {
	case words[0] == "main.cf":
		s.main = part.text
		return
	case words[0] == "master.cf":
		s.master = strings.Split(strings.TrimSuffix(part.text, "\n"), "\n")
		return
	case len(words) == 1:
		s.files[s.path(words[0])] = part.text
		return
	case words[1] != "like":
		t.Fatalf("### file: %s", part.arg)
	}
	own := logicalSettings(part.text)
	var text strings.Builder
	for _, base := range words[2:] {
		content, ok := s.files[s.path(base)]
		if !ok {
			t.Fatalf("### file: %s: no file %s", part.arg, base)
		}
		for _, setting := range logicalSettings(content) {
			if !slices.ContainsFunc(own, func(o cfSetting) bool { return o.name == setting.name }) {
				text.WriteString(setting.raw)
			}
		}
	}
	s.files[s.path(words[0])] = text.String() + part.text
}

func (s *realShape) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.root, name)
}

// cfSetting is one setting with its continuation lines as they stand in a file.
type cfSetting struct{ name, value, raw string }

func logicalSettings(text string) (list []cfSetting) {
	for line := range strings.Lines(text) {
		if strings.TrimLeft(line, " \t") != line && len(list) > 0 {
			last := &list[len(list)-1]
			last.raw += line
			last.value += line
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		list = append(list, cfSetting{strings.TrimSpace(name), value, line})
	}
	return list
}

var systemPath = regexp.MustCompile(`(^|[^\w./}-])/(srv|etc|opt|run|var|dev)/`)

// privatePaths moves the paths of a mail server's files into a directory.
func privatePaths(text, dir string) string {
	return systemPath.ReplaceAllString(text, "${1}"+dir+"/$2/")
}

var space = regexp.MustCompile(`\s+`)

// oneSpace makes table names comparable that are written over several lines.
func oneSpace(text string) string { return space.ReplaceAllString(text, " ") }
