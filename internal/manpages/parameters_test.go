package manpages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// literals calls found for each string literal in the Go files below dir, tests left out, with the file and the call that
// it is the first argument of, if any.
func literals(t *testing.T, dir string, found func(file, call, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		calls := map[*ast.BasicLit]string{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if method, ok := n.Fun.(*ast.SelectorExpr); ok {
					for _, arg := range n.Args {
						if literal, ok := arg.(*ast.BasicLit); ok {
							calls[literal] = method.Sel.Name
						}
					}
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					found(path, calls[n], text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readParameters returns the parameters of main.cf that the programs read: the string literals that are names of
// parameters. Not counted are postconf and the check of postmap, which have lists of names, and what only tests use.
func readParameters(t *testing.T) []string {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, dir := range []string{"cmd", "internal", "maptypes", "protocol"} {
		literals(t, filepath.Join(root, dir), func(file, _, text string) {
			for _, other := range []string{"cmd/postconf/", "internal/check/", "internal/postfixtest/", "internal/streamtest/", "internal/testenv/"} {
				if strings.Contains(file, other) {
					return
				}
			}
			if _, ok := config.Lookup(text); ok && !strings.HasPrefix(text, "proxymapd_") {
				names = append(names, text)
			}
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestParametersOfPostfix: proxymapd(5) names the parameters of Postfix that the programs read, and no others.
func TestParametersOfPostfix(t *testing.T) {
	p := page(t, "proxymapd")
	var documented []string
	for _, name := range append(p.Mentioned(), parameterNames(p)...) {
		if !strings.HasPrefix(name, "proxymapd_") {
			documented = append(documented, name)
		}
	}
	real := readParameters(t)
	if len(real) < 50 {
		t.Fatalf("only %d parameters found in the code", len(real))
	}
	for _, d := range Differences(documented, real) {
		t.Error(d)
	}
}

func parameterNames(p Page) []string {
	var names []string
	for _, parameter := range p.Parameters() {
		names = append(names, parameter.Name)
	}
	return names
}

// TestOwnParameters: proxymapd(5) has all parameters that Postfix has not, and no others.
func TestOwnParameters(t *testing.T) {
	var real, documented []string
	for _, name := range config.Names() {
		if strings.HasPrefix(name, "proxymapd_") {
			real = append(real, name)
		}
	}
	for _, name := range parameterNames(page(t, "proxymapd")) {
		if strings.HasPrefix(name, "proxymapd_") {
			documented = append(documented, name)
		}
	}
	for _, d := range Differences(documented, real) {
		t.Error(d)
	}
}

// TestDefaults compares the defaults of main.cf's parameters in all pages with those that the programs have.
func TestDefaults(t *testing.T) {
	checked := 0
	for _, p := range pages(t) {
		for _, parameter := range append(p.Parameters(), p.TableParameters()...) {
			known, ok := config.Lookup(parameter.Name)
			if !ok || known.Type == config.TypeReadOnly || parameter.Name == "service_name" {
				continue
			}
			checked++
			if !saysDefault(parameter, known.Default, p.IsMap()) {
				t.Errorf("%s: the default of %s is %q and not %s", p.Name, parameter.Name, known.Default, parameter.Default)
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d defaults found", checked)
	}
}

// saysDefault tells whether a page has the right default of a parameter. A long one may be left to postconf; an empty one
// may be described, because it may depend on the machine. Tables need no backquotes, and may leave an empty one out.
func saysDefault(parameter Parameter, value string, table bool) bool {
	switch text := parameter.Default; {
	case value == "":
		return text != "" && !strings.HasPrefix(text, "`") || table
	case len(value) > 100 && text == "see `postconf -d "+parameter.Name+"`":
		return true
	default:
		return text == "`"+value+"`" || table && text == value
	}
}

var quotedName = regexp.MustCompile("[`*]([a-z0-9]+(?:_[a-z0-9]+)+)[`*]")

// TestNamesExist: no page has the name of a parameter that does not exist, in bold, or in backquotes if it is one of ours.
func TestNamesExist(t *testing.T) {
	for _, p := range pages(t) {
		if !p.IsMap() {
			for _, name := range p.Mentioned() {
				if _, ok := config.Lookup(name); !ok {
					t.Errorf("%s: there is no parameter %s", p.Name, name)
				}
			}
		}
		for _, m := range quotedName.FindAllStringSubmatch(p.Body, -1) {
			if _, ok := config.Lookup(m[1]); !ok && strings.HasPrefix(m[1], "proxymapd_") {
				t.Errorf("%s: there is no parameter %s", p.Name, m[1])
			}
		}
	}
}
