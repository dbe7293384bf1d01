package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/postfixtest"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// sourceVar is the environment variable that names a source tree of Postfix.
const sourceVar = "POSTFIX_SOURCE"

// sourceTables are tables in the source tree's src/util that Postfix tests its map types with.
var sourceTables = []struct{ kind, name string }{
	{"regexp", "dict_regexp"}, {"pcre", "dict_pcre"}, {"cidr", "dict_cidr"}, {"texthash", "dict_thash"},
	{"regexp", "dict_regexp_file"}, {"pcre", "dict_pcre_file"}, {"cidr", "dict_cidr_file"},
	{"regexp", "miss_endif_re"}, {"pcre", "miss_endif_re"}, {"cidr", "miss_endif_cidr"},
}

// TestPostfixSourceTables reads the inputs of Postfix's own table tests with both postmap programs. They belong to
// Postfix's sources, of which there is no copy here.
func TestPostfixSourceTables(t *testing.T) {
	t.Parallel()
	source := os.Getenv(sourceVar)
	if source == "" {
		t.Skipf("compares dict_regexp.map and the other inputs of Postfix's table tests in both postmap programs; set %s to "+
			"a source tree of Postfix (the directory that has src/util)", sourceVar)
	}
	testenv.Require(t, testenv.Root, testenv.Postfix)
	pf := postfixtest.New(t)
	for _, c := range sourceTables {
		t.Run(c.kind+":"+c.name, func(t *testing.T) {
			testSourceTable(t, pf, filepath.Join(source, "src", "util", c.name), c.kind)
		})
	}
}

func testSourceTable(t *testing.T, pf *postfixtest.Instance, path, kind string) {
	text, err := os.ReadFile(path + ".map")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	pf.WriteFile(name+".map", string(text))
	args := []string{"-q", "-", kind + ":" + name + ".map"}
	if strings.HasSuffix(name, "_file") { // values are names of files
		for _, n := range []string{"1", "2"} {
			pf.WriteFile(name+n, "this is file "+n+"\n")
		}
		args = append([]string{"-F"}, args...)
	}
	keys := sourceKeys(t, path+".in", string(text))
	for _, key := range keys {
		want := pf.Run(key+"\n", theirs.postmap(t), args...)
		got := pf.Run(key+"\n", ours.postmap(t), args...)
		if got != want {
			t.Errorf("postmap %q, key %q: %+v\nPostfix: %+v", args, key, got, want)
		}
	}
	if len(keys) < 2 {
		t.Errorf("only %d keys", len(keys))
	}
	t.Logf("%d keys", len(keys))
}

// sourceKeys returns the keys of the "get" lines of a test's input, or else the words of the table.
func sourceKeys(t *testing.T, path, table string) (keys []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if key, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "get "); ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return append(strings.Fields(table), "no such key")
	}
	return keys
}
