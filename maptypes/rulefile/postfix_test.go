package rulefile_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
	"github.com/proxymapd/proxymapd/maptypes"
)

// TestAgreesWithPostfix compares answers and warnings for generated tables with
// those of Postfix's own postmap.
func TestAgreesWithPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	conf := confDir(t)
	for _, tc := range []struct {
		kind  string
		table func(*rand.Rand) string
		key   func(*rand.Rand) string
	}{
		{"regexp", func(rnd *rand.Rand) string { return patternTable(rnd, regexpPieces) }, word},
		{"pcre", func(rnd *rand.Rand) string { return patternTable(rnd, pcrePieces) }, word},
		{"cidr", cidrTable, address},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(3, 4))
			found := 0
			for n := range 60 {
				table := tc.table(rnd)
				keys := make([]string, 40)
				for i := range keys {
					keys[i] = tc.key(rnd)
				}
				found += compare(t, conf, fmt.Sprint(n), tc.kind, table, keys)
			}
			if found < 100 {
				t.Errorf("only %d keys found: the test has lost its material", found)
			}
		})
	}
}

// TestMatchLimitAgreesWithPostfix has an expression that takes for ever.
func TestMatchLimitAgreesWithPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	table := "!/^(a+)+\\d/ never\nif /^(a|aa)+\\d/\n/a/ inside\nendif\n/a/ next rule\n"
	if compare(t, confDir(t), "limit", "pcre", table, []string{strings.Repeat("a", 40) + "!", "a1"}) != 2 {
		t.Error("a key was not found")
	}
}

func TestInlineAgreesWithPostfix(t *testing.T) {
	testenv.Require(t, testenv.Postfix)
	conf := confDir(t)
	for _, spec := range []string{
		"regexp:{{/a/ b}, {/c/ d}}", "regexp:{}", "regexp:{{}}", "regexp:{ {/a(.)/ x $1 } , ,{ !/z/ not } }",
		"pcre:{{if /a/} {/b/ found} {endif} {/a/ other}}", "pcre:{{/a{1,2}$/ braces}}", "pcre:{{foo bar}, {/a/ b}}",
		"cidr:{{10.0.0.0/8 ten} {2001:db8::/32 eight}}", "cidr:{{#comment}, {10.0.0.0/9 bad bits} {10.0.0.1/8 x}}",
		"regexp:{{/a/ b}, {/c/ d}x}", "regexp:{{/a/ b}, {/c/ d}", "pcre:{foo, {/c/ d}}", "cidr:{{1.2.3.4 x}} ", "regexp:{{/a/ b}}x",
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel() // postmap sleeps before it reports a fatal error
			compareSpec(t, conf, spec, []string{"a", "c", "ab", "b", "10.1.2.3", "2001:db8::1", "aab"})
		})
	}
}

// confDir returns a configuration directory in which keys need not be UTF-8.
func confDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := "compatibility_level = 3.6\nsmtputf8_enable = no\n"
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compare writes a table and compares; it returns how many keys were found.
func compare(t *testing.T, conf, name, kind, table string, keys []string) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	found := compareSpec(t, conf, kind+":"+path, keys)
	if t.Failed() {
		t.Fatalf("table:\n%s", table)
	}
	return found
}

// compareSpec looks the keys up with our driver and with postmap.
func compareSpec(t *testing.T, conf, spec string, keys []string) int {
	t.Helper()
	stdout, warnings, code := postmap(t, conf, spec, keys)
	env, log := logEnv(false)
	env.UTF8 = false
	h, err := registry.Open(env, spec, maptypes.ReadOnly, maptypes.FlagLock|maptypes.FlagFoldFix)
	if err != nil {
		want := []string{"fatal: " + err.Error()}
		if !slices.Equal(warnings, want) || code != 1 {
			t.Errorf("%s: %q, postmap exits with %d and %q", spec, want, code, warnings)
		}
		return 0
	}
	defer h.Close()
	found := 0
	var answers strings.Builder
	for _, key := range keys {
		value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte(key)})
		switch maptypes.Class(err) {
		case nil:
			found++
			fmt.Fprintf(&answers, "%s\t%s\n", key, value)
		case maptypes.ErrNotFound:
		default:
			t.Errorf("%s: key %q: %v", spec, key, err)
		}
	}
	if answers.String() != stdout {
		t.Errorf("%s: answers differ:\nours:\n%spostmap:\n%s", spec, answers.String(), stdout)
	}
	if !slices.Equal(*log, warnings) {
		t.Errorf("%s: warnings differ:\nours:\n%s\npostmap:\n%s", spec, strings.Join(*log, "\n"), strings.Join(warnings, "\n"))
	}
	return found
}

// postmap runs `postmap -q -` and returns what it prints, the log lines without
// the program name, and the exit status.
func postmap(t *testing.T, conf, spec string, keys []string) (stdout string, log []string, code int) {
	t.Helper()
	program, err := testenv.LookProgram("postmap")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", conf, "-q", "-", spec)
	cmd.Stdin = strings.NewReader(strings.Join(keys, "\n") + "\n")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(errs.String()) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "postmap: "), "\n")
		// These two are about what a table should not answer, and postmap's own.
		if !strings.Contains(line, "empty string result") && !strings.Contains(line, "should return NO RESULT") {
			log = append(log, line)
		}
	}
	return out.String(), log, cmd.ProcessState.ExitCode()
}
