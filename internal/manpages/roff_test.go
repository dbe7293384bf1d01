package manpages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// write makes a docs directory with one file and returns its page.
func write(t *testing.T, name, text string) (Page, error) {
	t.Helper()
	docs := t.TempDir()
	file := filepath.Join(docs, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := Load(docs)
	if err != nil {
		return Page{}, err
	}
	return list[0], nil
}

const sample = `# sample: text of all kinds

See [other](other.md), [a command](../man/tool.1.md) and [below](#below). Use ` + "`tool -x`" + `.

    tool -x --long

## The ` + "`main.cf`" + ` file

| Parameter | Default | Unit | Meaning |
|---|---|---|---|
| ` + "`size`" + ` | 5 | bytes | how large |
| ` + "`none`" + ` | | | what else |

| Where | Postfix | here |
|---|---|---|
| nowhere | left | right |

**-x**, **--long** *word*
: What it does
  in two lines.
`

func TestRoff(t *testing.T) {
	p, err := write(t, "maps/sample.md", sample)
	if err != nil {
		t.Fatal(err)
	}
	text := string(p.Roff())
	for _, want := range []string{
		".TH PROXYMAPD-SAMPLE 5 \"\" proxymapd",
		".SH NAME\nproxymapd-sample \\- text of all kinds\n",
		".SH DESCRIPTION\nSee \\fBproxymapd\\-other\\fP(5), \\fBtool\\fP(1) and \"below\". Use \\fBtool \\-x\\fR",
		"\n.RS 4\n.EX\ntool \\-x \\-\\-long\n.EE\n.RE\n",
		".SH THE \\fBmain.cf\\fR FILE\n",
		".TP\n\\fBsize\\fR (default: 5, unit: bytes)\nhow large\n",
		".TP\n\\fBnone\\fR\nwhat else\n",
		".TP\n\\fBnowhere\\fP\n\\fIPostfix:\\fP left\n.br\n\\fIhere:\\fP right\n",
		".TP\n\\fB\\-x\\fP, \\fB\\-\\-long\\fP \\fIword\\fP\nWhat it does\nin two lines.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestHeadings(t *testing.T) {
	for name, text := range map[string]string{
		"maps/sample.md":   "# other: the file has another name\n",
		"maps/nothing.md":  "# nothing\n",
		"man/tool.1.md":    "# tool(8): the file says 1\n",
		"man/tool.9.md":    "# tool(9): no section of ours\n",
		"man/notitle.1.md": "# notitle(1):\n",
	} {
		if p, err := write(t, name, text); err == nil {
			t.Errorf("%s: %q was read as %+v", name, text, p)
		}
	}
}

// TestPagesAreWellFormed has groff read all pages, with all warnings, and lexgrog their names.
func TestPagesAreWellFormed(t *testing.T) {
	testenv.Require(t, testenv.ManualPages)
	list := pages(t)
	dir := t.TempDir()
	for _, p := range list {
		file := filepath.Join(dir, p.Name+"."+p.Section)
		if err := os.WriteFile(file, p.Roff(), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("groff", "-man", "-Tutf8", "-ww", "-z", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: groff: %v\n%s", p.Name, err, out)
		}
		want := fmt.Sprintf("%s: \"%s - %s\"\n", file, p.Name, p.Title)
		if out, err := exec.Command("lexgrog", file).CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("lexgrog: %v\n%s, want\n%s", err, out, want)
		}
		for _, markdown := range []string{"**", "](", "|--", "\n## "} {
			if strings.Contains(string(p.Roff()), markdown) {
				t.Errorf("%s: %q is left in it", p.Name, markdown)
			}
		}
	}
}

// TestMapTypesHavePages: there is a page for each map type, and none for what is no map type. Types that only say what to
// use instead share one.
func TestMapTypesHavePages(t *testing.T) {
	var types, documented []string
	for _, driver := range all.Drivers() {
		name := driver.Type
		if driver.LeftOut != "" && name != "mongodb" {
			name = "obsolete"
		}
		types = append(types, name)
	}
	for _, p := range pages(t) {
		if p.IsMap() {
			documented = append(documented, strings.TrimPrefix(p.Name, "proxymapd-"))
		}
	}
	for _, d := range Differences(documented, types) {
		t.Error(d)
	}
}

var reference = regexp.MustCompile(`\*\*([a-z-]+)\*\*\((\d)\)`)

// TestReferences: the pages of ours that a page refers to exist, and proxymapd(5) refers to all of the map types.
func TestReferences(t *testing.T) {
	list := pages(t)
	sections := map[string]string{}
	for _, p := range list {
		sections[p.Name] = p.Section
	}
	for _, p := range list {
		var named []string
		for _, m := range reference.FindAllStringSubmatch(p.markdown(), -1) {
			name, section := m[1], m[2]
			named = append(named, name)
			if real, ok := sections[name]; ok && real != section && !ofPostfix(name, section) || !ok && !ofPostfix(name, section) {
				t.Errorf("%s refers to %s(%s)", p.Name, name, section)
			}
		}
		if p.Name != "proxymapd" {
			continue
		}
		for _, other := range list {
			if other.IsMap() && !slices.Contains(named, other.Name) {
				t.Errorf("proxymapd(5) does not refer to %s", other.Name)
			}
		}
	}
}

// ofPostfix tells pages that only Postfix has.
func ofPostfix(name, section string) bool {
	return slices.Contains([]string{"master(5)", "postconf(5)", "postfix(1)", "aliases(5)", "newaliases(1)"}, name+"("+section+")")
}
