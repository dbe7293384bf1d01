package manpages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/config"
	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// minimal are settings with which a table of a type can be opened; no server is asked then.
var minimal = map[string]map[string]string{
	"mysql":    {"dbname": "mail", "query": "SELECT 1"},
	"pgsql":    {"dbname": "mail", "query": "SELECT 1"},
	"sqlite":   {"dbpath": "/nonexistent/mail.db", "query": "SELECT 1"},
	"ldap":     {"search_base": "dc=example"},
	"memcache": {"memcache": "inet:localhost:1"},
	"mongodb":  {"uri": "mongodb://localhost:1", "dbname": "mail", "collection": "c", "query_filter": `{"a": "%s"}`, "result_attribute": "b"},
	"redis":    {"hosts": "localhost", "tls": "yes"},
	"http":     {"url": "https://localhost:1/%s"},
}

// values are tried in turn for a parameter, because most do not fit all of them.
var values = []string{"", "1", "no", "yes", "x", "sub", "UTF8", "3", "%s", "single", "404", "localhost", "inet:localhost:1"}

// settingNames returns the names that any map type asks its settings for.
func settingNames(t *testing.T) []string {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	getters := []string{"String", "Required", "Int", "Bool", "Seconds", "Secret", "SecretIn", "Lookup", "Known", "text"}
	var names []string
	literals(t, filepath.Join(root, "maptypes"), func(_, call, text string) {
		if slices.Contains(getters, call) && parameterSpan.MatchString("`"+text+"`") {
			names = append(names, text)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// unknown is a parameter that no type knows.
const unknown = "no_such_parameter"

// accepts tells whether a type knows a parameter: it warns about those that it does not know. It is asked again with
// other values while it ends before that, because of a value that is wrong.
func accepts(t *testing.T, driver maptypes.Driver, name string) bool {
	t.Helper()
	var last error
	for _, value := range values {
		settings := map[string]string{unknown: "x"}
		for n, v := range minimal[driver.Type] {
			settings[n] = v
		}
		if settings[name] == "" || value != "" {
			settings[name] = value
		}
		unused, err := unusedSettings(t, driver, settings)
		if slices.Contains(unused, unknown) {
			return !slices.Contains(unused, name)
		}
		last = err
	}
	t.Errorf("%s: no value found for %s: %v", driver.Type, name, last)
	return false
}

// unusedSettings opens a table and returns the settings that it warns about.
func unusedSettings(t *testing.T, driver maptypes.Driver, settings map[string]string) (unused []string, err error) {
	t.Helper()
	var text strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&text, "%s = %s\n", name, value)
	}
	file := filepath.Join(t.TempDir(), "table.cf")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	note := func(format string, args ...any) {
		if _, name, ok := strings.Cut(fmt.Sprintf(format, args...), "unused parameter: "); ok {
			unused = append(unused, name)
		}
	}
	opened, err := driver.Open(&maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...), Infof: note, Warnf: note, Errorf: note,
		Param: func(string) (string, bool) { return "", false },
	}, file, maptypes.ReadOnly, 0)
	if opened != nil && opened.Table != nil {
		opened.Table.Close()
	}
	return unused, err
}

// TestTableSettings compares the parameters in the pages of map types with those that the types know. Asked about are the
// names in the pages and those in the code.
func TestTableSettings(t *testing.T) {
	list, candidates := pages(t), settingNames(t)
	if len(candidates) < 80 {
		t.Fatalf("only %d names found in the code", len(candidates))
	}
	tested := 0
	for _, driver := range all.Drivers() {
		if minimal[driver.Type] == nil || driver.Open == nil { // left out of this build
			continue
		}
		tested++
		t.Run(driver.Type, func(t *testing.T) {
			p, _ := Find(list, mapPage(driver.Type))
			var documented, real []string
			for _, parameter := range p.TableParameters() {
				if _, ok := config.Lookup(parameter.Name); !ok {
					documented = append(documented, parameter.Name)
				}
			}
			for _, name := range append(slices.Clone(candidates), documented...) {
				if accepts(t, driver, name) {
					real = append(real, name)
				}
			}
			for _, d := range Differences(documented, real) {
				t.Error(d)
			}
		})
	}
	if tested < len(minimal)-1 { // mongodb may be left out
		t.Errorf("only %d types were tested", tested)
	}
}
