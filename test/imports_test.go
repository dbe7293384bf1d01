package test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

const module = "github.com/proxymapd/proxymapd/"

// pkg is a package of this module, without its tests.
type pkg struct {
	path    string   // below the module, such as ./protocol
	imports []string // direct imports; ours likewise
	deps    []string // direct and indirect imports
}

// ourPackages asks the go command, because only that knows about build constraints.
func ourPackages(t *testing.T, cgo string) map[string]pkg {
	t.Helper()
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "./...")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=") // -race would need cgo
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[string]pkg{}
	for line := range strings.Lines(strings.ReplaceAll(string(out), module, "./")) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		found[fields[0]] = pkg{fields[0], strings.Fields(fields[1]), strings.Fields(fields[2])}
	}
	return found
}

// in tells whether the package or directory dir holds path.
func in(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// importRules says, in the order of the rooms of the project, which of our own packages a package must not depend on,
// not even through others. Arrows run one way: cmd, internal, maptypes and protocol.
var importRules = []struct {
	who       string // a package, and what is below it
	forbidden []string
	why       string
}{
	{"./protocol", []string{"./maptypes", "./internal", "./cmd"}, "the protocol imports nothing of ours"},
	{"./maptypes", []string{"./internal", "./cmd"}, "tables never log or read main.cf themselves"},
	{"./internal/service", []string{"./internal/proxymap", "./internal/master"}, "the worker skeleton knows nothing of tables"},
	{"./internal/proxymap", []string{"./internal/service", "./internal/master"}, "the service knows nothing of processes"},
	{"./internal/master", []string{"./internal/service", "./internal/proxymap", "./protocol"}, "the supervisor knows nothing of what workers do"},
	{"./internal/config", []string{"./internal", "./protocol"}, "configuration is at the bottom of internal"},
	{"./internal", []string{"./cmd"}, "commands are on top"},
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	for _, cgo := range []string{"0", "1"} {
		packages := ourPackages(t, cgo)
		for _, rule := range importRules {
			checked := 0
			for _, p := range packages {
				if !in(p.path, rule.who) {
					continue
				}
				checked++
				for _, dep := range p.deps {
					if slices.ContainsFunc(rule.forbidden, func(dir string) bool { return in(dep, dir) }) && !in(dep, rule.who) {
						t.Errorf("%s depends on %s: %s", p.path, dep, rule.why)
					}
				}
			}
			if checked == 0 {
				t.Errorf("no package %s: the rule about it is out of date", rule.who)
			}
		}
		checkDrivers(t, packages)
	}
}

// checkDrivers holds what is said about map drivers. A driver is what the list in maptypes/all imports by name.
func checkDrivers(t *testing.T, packages map[string]pkg) {
	t.Helper()
	isDriver := func(path string) bool {
		return strings.HasPrefix(path, "./maptypes/") && slices.Contains(packages["./maptypes/all"].imports, path)
	}
	drivers := 0
	for _, p := range packages {
		if isDriver(p.path) {
			drivers++
		}
		for _, dep := range p.imports {
			if isDriver(dep) && p.path != "./maptypes/all" {
				t.Errorf("%s imports %s: only maptypes/all knows the drivers; others use maptypes.Open", p.path, dep)
			}
			if dep == "./maptypes/all" && !in(p.path, "./cmd") {
				t.Errorf("%s imports ./maptypes/all: only commands choose the drivers", p.path)
			}
		}
	}
	if drivers < 10 {
		t.Errorf("only %d drivers in maptypes/all", drivers)
	}
	for _, dep := range packages["./maptypes"].deps {
		if isDriver(dep) || isLibrary(dep) {
			t.Errorf("maptypes depends on %s: it knows no driver, and heavy libraries stay inside drivers", dep)
		}
	}
	for _, dep := range packages["./protocol"].deps {
		if isLibrary(dep) {
			t.Errorf("protocol depends on %s: it needs no library", dep)
		}
	}
	for path := range packages {
		if base := path[strings.LastIndexByte(path, '/')+1:]; slices.Contains([]string{"util", "utils", "common", "misc"}, base) {
			t.Errorf("%s: a package is named after what it is about", path)
		}
	}
}

// isLibrary tells other people's modules, apart from the Go project's own (golang.org/x) and their copies inside the
// standard library.
func isLibrary(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(strings.TrimPrefix(first, "."), ".") && first != "golang.org"
}
