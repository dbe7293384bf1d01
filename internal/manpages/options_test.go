package manpages

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

// pages loads the pages of this tree.
func pages(t *testing.T) []Page {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	list, err := Load(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func page(t *testing.T, name string) Page {
	t.Helper()
	p, ok := Find(pages(t), name)
	if !ok {
		t.Fatalf("no page %s", name)
	}
	return p
}

var helpLine = regexp.MustCompile(`^ +(?:(-.), )?(--[a-z0-9-]+)`)

// helpOptions returns the options that a program lists when it is asked for help.
func helpOptions(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command(program, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", program, err, out)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if m := helpLine.FindStringSubmatch(line); m != nil {
			found = append(found, slices.DeleteFunc(m[1:], func(s string) bool { return s == "" })...)
		}
	}
	if len(found) < 10 {
		t.Fatalf("%s --help lists only %v", program, found)
	}
	return found
}

// TestOptions asks the programs for their options. (Those of postmap and postalias, which have no such list, are compared
// in their package.)
func TestOptions(t *testing.T) {
	bin := testenv.Bin(t, "master", "proxymap", "postconf")
	for name, unlisted := range map[string][]string{
		"master":   {"-h", "--help"},
		"proxymap": {"-h", "--help"},
		"postconf": {"-a", "--server-sasl", "-A", "--client-sasl", "-b", "--bounce-templates",
			"-t", "--dump-bounce-templates", "-T", "--tls"},
	} {
		program := filepath.Join(bin, name)
		real := helpOptions(t, program)
		for _, option := range unlisted {
			if out, err := exec.Command(program, option, "x").CombinedOutput(); strings.Contains(string(out), "unknown") {
				t.Errorf("%s %s: %v\n%s", name, option, err, out)
			}
			real = append(real, option)
		}
		for _, d := range Differences(page(t, name).Options(), real) {
			t.Errorf("%s: %s", name, d)
		}
	}
}

var (
	synopsisOption  = regexp.MustCompile(`\*\*(-[^*]+)\*\*`)
	synopsisProgram = regexp.MustCompile(`^\*\*([a-z]+)\*\*(?: |$)`)
)

// TestSynopsis reads the synopsis of each command: each line begins with the command, its brackets are balanced, and the
// section OPTIONS has its options.
func TestSynopsis(t *testing.T) {
	for _, p := range pages(t) {
		if p.Section == "5" {
			continue
		}
		_, rest, _ := strings.Cut(p.Body, "\n## Synopsis\n")
		text, _, ok := strings.Cut(rest, "\n## ")
		if !ok || strings.TrimSpace(text) == "" {
			t.Errorf("%s has no synopsis", p.Name)
			continue
		}
		options := set(p.Options())
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
			if m := synopsisProgram.FindStringSubmatch(line); m == nil || m[1] != p.Name {
				t.Errorf("%s: synopsis %q does not begin with the command", p.Name, line)
			}
			if depth := bracketDepth(line); depth != 0 {
				t.Errorf("%s: synopsis %q has unbalanced brackets", p.Name, line)
			}
			for _, m := range synopsisOption.FindAllStringSubmatch(line, -1) {
				for _, option := range spelledOut(m[1]) {
					if !options[option] {
						t.Errorf("%s: synopsis has %s, which OPTIONS has not", p.Name, option)
					}
				}
			}
		}
	}
}

func bracketDepth(line string) int {
	depth := 0
	for _, c := range line {
		switch c {
		case '[':
			depth++
		case ']':
			if depth--; depth < 0 {
				return depth
			}
		}
	}
	return depth
}

// spelledOut takes letters that stand together apart: -ab is -a and -b.
func spelledOut(option string) []string {
	if strings.HasPrefix(option, "--") {
		return []string{option}
	}
	var letters []string
	for _, c := range option[1:] {
		letters = append(letters, "-"+string(c))
	}
	return letters
}
