// Package manpages makes manual pages from the Markdown files in docs/man and docs/maps, and finds in them what they say
// about options and parameters, which tests compare with the programs.
//
// A file in docs/man begins with the heading "# name(section): what it is", one in docs/maps with "# type: what it is",
// which becomes the page proxymapd-type(5). Options and parameters are definition lists:
//
//	**-c**, **--config-dir** *directory*
//	: Read main.cf in this directory.
//
//	**max_use** (default: `100`)
//	: How many clients a worker serves.
package manpages

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Page is one manual page.
type Page struct {
	File    string // path of the Markdown file
	Name    string
	Section string // "1", "5" or "8"
	Title   string // what follows the dash in the section NAME
	Body    string // Markdown, without the first heading
}

// Load reads all pages of a docs directory, sorted by file name: man/*.md, then maps/*.md.
func Load(docs string) ([]Page, error) {
	var pages []Page
	for _, dir := range []string{"man", "maps"} {
		files, err := filepath.Glob(filepath.Join(docs, dir, "*.md"))
		if err != nil {
			return nil, err
		}
		slices.Sort(files)
		for _, file := range files {
			page, err := read(file)
			if err != nil {
				return nil, err
			}
			pages = append(pages, page)
		}
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("no pages in %s", docs)
	}
	return pages, nil
}

// Find returns the page with a name.
func Find(pages []Page, name string) (Page, bool) {
	i := slices.IndexFunc(pages, func(p Page) bool { return p.Name == name })
	if i < 0 {
		return Page{}, false
	}
	return pages[i], true
}

var (
	manHeading = regexp.MustCompile(`^# ([a-z-]+)\(([158])\): (\S.*)$`)
	mapHeading = regexp.MustCompile(`^# ([a-z]+): (\S.*)$`)
)

// read reads one file.
func read(file string) (Page, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Page{}, err
	}
	heading, body, _ := strings.Cut(string(text), "\n")
	page := Page{File: file, Section: "5", Body: body}
	base := strings.TrimSuffix(filepath.Base(file), ".md")
	if m := manHeading.FindStringSubmatch(heading); m != nil {
		page.Name, page.Section, page.Title = m[1], m[2], m[3]
		if base != page.Name+"."+page.Section {
			return Page{}, fmt.Errorf("%s: the heading says %s(%s)", file, page.Name, page.Section)
		}
		return page, nil
	}
	m := mapHeading.FindStringSubmatch(heading)
	if m == nil {
		return Page{}, fmt.Errorf("%s: the first line must be \"# name(section): title\" or \"# type: title\"", file)
	}
	if m[1] != base {
		return Page{}, fmt.Errorf("%s: the heading says %s", file, m[1])
	}
	page.Name, page.Title = mapPage(m[1]), m[2]
	return page, nil
}

// mapPage is the name of the page of a map type.
func mapPage(typ string) string { return "proxymapd-" + typ }

// IsMap tells whether the page is that of a map type.
func (p Page) IsMap() bool { return filepath.Base(filepath.Dir(p.File)) == "maps" }
