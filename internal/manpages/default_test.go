package manpages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// settingDefaults returns the defaults that a package gives when it asks for settings, by name: as yes or no, a number, a
// text, or a time.Duration; nil when it is no constant.
func settingDefaults(t *testing.T, dir string) map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []*ast.CallExpr
	constants := map[string]ast.Expr{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				calls = append(calls, n)
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						constants[name.Name] = n.Values[i]
					}
				}
			}
			return true
		})
	}
	found := map[string]any{}
	for _, call := range calls {
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) < 2 {
			continue
		}
		switch method.Sel.Name {
		case "String", "Required", "Int", "Bool", "Seconds":
			name, isText := evaluate(call.Args[0], constants).(string)
			if isText {
				found[name] = evaluate(call.Args[1], constants)
			}
		}
	}
	return found
}

// evaluate returns the value of a constant expression of the simple kinds that defaults are, or nil.
func evaluate(e ast.Expr, constants map[string]ast.Expr) any {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
		if n, err := strconv.Atoi(e.Value); err == nil {
			return n
		}
	case *ast.Ident:
		if e.Name == "true" || e.Name == "false" {
			return map[string]string{"true": "yes", "false": "no"}[e.Name]
		}
		if value, ok := constants[e.Name]; ok {
			return evaluate(value, nil)
		}
	case *ast.SelectorExpr:
		units := map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}
		if unit, ok := units[e.Sel.Name]; ok {
			return unit
		}
	case *ast.BinaryExpr:
		n, ok := evaluate(e.X, constants).(int)
		switch y := evaluate(e.Y, constants).(type) {
		case time.Duration:
			if ok && e.Op == token.MUL {
				return time.Duration(n) * y
			}
		case int:
			if ok && e.Op == token.SHL {
				return n << y
			}
		}
	}
	return nil
}

// replaced are defaults that stand for an empty text, which is what the code asks for.
var replaced = map[string]string{"hosts": "localhost"}

// TestSettingDefaults compares the defaults in the tables of the map types' pages with those in the code, where both are
// plain values.
func TestSettingDefaults(t *testing.T) {
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	shared := map[string]any{}
	for _, dir := range []string{"backend", "query", "tlscf"} {
		for name, value := range settingDefaults(t, filepath.Join(root, "maptypes", dir)) {
			shared[name] = value
		}
	}
	compared := 0
	for typ := range minimal {
		own := settingDefaults(t, filepath.Join(root, "maptypes", typ))
		for _, parameter := range page(t, mapPage(typ)).TableParameters() {
			value, ok := own[parameter.Name]
			if !ok {
				value, ok = shared[parameter.Name]
			}
			text := strings.Trim(parameter.Default, "`")
			if !ok || value == nil || text == "" || strings.Contains(text, " ") {
				continue
			}
			compared++
			if !sameDefault(parameter.Name, text, text != parameter.Default, value) {
				t.Errorf("%s: the default of %s is %v and not %s", typ, parameter.Name, value, parameter.Default)
			}
		}
	}
	if compared < 80 {
		t.Errorf("only %d defaults were compared", compared)
	}
}

// sameDefault compares what a page has, in backquotes or not, with a value from the code. A word without backquotes
// describes an empty text.
func sameDefault(name, text string, quoted bool, value any) bool {
	switch value := value.(type) {
	case time.Duration:
		seconds, err := maptypes.ParseTime(text, 's')
		return err == nil && seconds == value || text == "none" && value == 0
	case int:
		return text == strconv.Itoa(value) || text == "none" && value == 0
	case string:
		return text == value || value == "" && (!quoted || text == replaced[name])
	}
	return false
}
