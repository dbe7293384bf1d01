package manpages

import (
	"regexp"
	"strings"
)

// Entry is one definition of a page.
type Entry struct {
	Section string // heading of the section, in capital letters
	Term    string // Markdown
	Text    string // Markdown; the first paragraph
}

// Entries returns the definitions of a page in their order, those in tables included.
func (p Page) Entries() []Entry {
	var found []Entry
	section, previous := "", ""
	for line := range strings.Lines(definitions(p.Body)) {
		line = strings.TrimSuffix(line, "\n")
		text, defines := strings.CutPrefix(line, ": ")
		switch {
		case strings.HasPrefix(line, "## "):
			section = strings.ToUpper(line[len("## "):])
		case defines && previous != "":
			found = append(found, Entry{section, previous, text})
		case previous == "" || len(found) == 0:
		case strings.HasPrefix(line, "  "):
			found[len(found)-1].Text += "\n" + strings.TrimSpace(line)
		}
		previous = line
	}
	return found
}

var option = regexp.MustCompile(`\*\*(--?[A-Za-z#][a-z0-9-]*)\*\*`)

// Options returns the options that the section OPTIONS defines, such as -c and --config-dir.
func (p Page) Options() []string {
	var found []string
	for _, e := range p.Entries() {
		if e.Section != "OPTIONS" {
			continue
		}
		for _, m := range option.FindAllStringSubmatch(e.Term, -1) {
			found = append(found, m[1])
		}
	}
	return found
}

// Parameter is what a page says about a parameter of main.cf.
type Parameter struct {
	Name    string
	Default string // in Markdown: `yes`, empty, or a description; "" when nothing is said
}

var (
	parameter        = regexp.MustCompile(`\*\*([a-z0-9_]+)\*\*`)
	parameterDefault = regexp.MustCompile(`\(default: (.*)\)$`)
)

// Parameters returns the parameters that the page defines, as in the terms of proxymapd(5).
func (p Page) Parameters() []Parameter {
	var found []Parameter
	for _, e := range p.Entries() {
		if !strings.HasPrefix(e.Term, "**") {
			continue
		}
		term, standard := e.Term, ""
		if m := parameterDefault.FindStringSubmatch(term); m != nil {
			term, standard = strings.TrimSuffix(term, m[0]), m[1]
		}
		for _, m := range parameter.FindAllStringSubmatch(term, -1) {
			found = append(found, Parameter{m[1], standard})
		}
	}
	return found
}

// Mentioned returns the names with an underscore that the page has in bold: parameters, wherever they stand.
func (p Page) Mentioned() []string {
	var found []string
	for _, m := range parameter.FindAllStringSubmatch(p.Body, -1) {
		if strings.Trim(m[1], "_") == m[1] && strings.Contains(m[1], "_") {
			found = append(found, m[1])
		}
	}
	return found
}

// Differences compares what a page documents with what a program has: one line for each name that only one of them has.
func Differences(documented, real []string) []string {
	inPage, inProgram := set(documented), set(real)
	var found []string
	for _, name := range real {
		if !inPage[name] {
			found = append(found, name+" is not documented")
			inPage[name] = true
		}
	}
	for _, name := range documented {
		if !inProgram[name] {
			found = append(found, name+" is documented and does not exist")
			inProgram[name] = true
		}
	}
	return found
}

func set(names []string) map[string]bool {
	s := map[string]bool{}
	for _, name := range names {
		s[name] = true
	}
	return s
}
