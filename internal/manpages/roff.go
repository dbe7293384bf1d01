package manpages

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// Roff returns the page as man(1) reads it.
func (p Page) Roff() []byte {
	text := string(md2man.Render([]byte(p.markdown())))
	text = strings.TrimLeft(strings.TrimPrefix(text, ".nh\n"), "\n")
	return []byte(p.header() + literalDashes(indentExamples(text)))
}

// header is what stands before the first section. Hyphenation and justification would take names apart.
func (p Page) header() string {
	return fmt.Sprintf(".\\\" Made by \"make man\": change the Markdown text instead.\n.TH %s %s \"\" proxymapd \"proxymapd manual\"\n.nr HY 0\n.nh\n.ad l\n",
		strings.ToUpper(p.Name), p.Section)
}

// markdown is the page in the form that the library turns into a manual page: with a section NAME, without tables, which
// would be as wide as their longest cell, and without links to other files.
func (p Page) markdown() string {
	body := p.Body
	if p.IsMap() {
		body = "\n## Description\n" + body + "\n## See also\n\n**postmap**(1), **proxymapd**(5), **proxymap**(8)\n"
	}
	body = definitions(body)
	body = upperHeadings(body)
	body = plainLinks(body)
	return "## NAME\n\n" + p.Name + " - " + p.Title + "\n" + body
}

var (
	link    = regexp.MustCompile(`\[([^\]]+)\]\((?:\.\./)?(?:(maps|man)/)?([a-z.0-9-]+)\.md\)`)
	section = regexp.MustCompile(`\[([^\]]+)\]\(#[^)]*\)`)
)

// plainLinks makes links to other pages what they are in a manual: name(section). Of a link to a section its text stays.
func plainLinks(text string) string {
	text = section.ReplaceAllString(text, "\"$1\"")
	return link.ReplaceAllStringFunc(text, func(found string) string {
		m := link.FindStringSubmatch(found)
		name, section := mapPage(m[3]), "5"
		if i := strings.LastIndexByte(m[3], '.'); i >= 0 {
			name, section = m[3][:i], m[3][i+1:]
		}
		return "**" + name + "**(" + section + ")"
	})
}

// upperHeadings spells the headings of sections as manual pages do, except for what stands in backquotes.
func upperHeadings(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			parts := strings.Split(heading, "`")
			for i := 0; i < len(parts); i += 2 {
				parts[i] = strings.ToUpper(parts[i])
			}
			line = "## " + strings.Join(parts, "`")
		}
		out.WriteString(line)
	}
	return out.String()
}

// indentExamples moves examples to the right.
func indentExamples(text string) string {
	text = strings.ReplaceAll(text, "\n.EX\n", "\n.PP\n.RS 4\n.EX\n")
	return strings.ReplaceAll(text, "\n.EE\n", "\n.EE\n.RE\n")
}

var (
	bold    = regexp.MustCompile(`\\fB.*?\\f[PR]`)
	example = regexp.MustCompile(`(?s)\n\.EX\n.*?\n\.EE\n`)
)

// literalDashes keeps the dashes of options and examples what they are: roff may make hyphens of them, which a shell does
// not know.
func literalDashes(text string) string {
	dashes := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, `\-`, "-"), "-", `\-`)
	}
	return example.ReplaceAllStringFunc(bold.ReplaceAllStringFunc(text, dashes), dashes)
}
