package rulefile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/pcre"
	regexpmap "github.com/proxymapd/proxymapd/maptypes/regexp"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// twice opens a table as it is, and as one that tries every rule.
func twice(t testing.TB, driver maptypes.Driver, text string) (filtered, plain *rulefile.Table) {
	t.Helper()
	env, _ := logEnv(false)
	path := t.TempDir() + "/table"
	write(t, path, text)
	var tables [2]*rulefile.Table
	for i := range tables {
		o, err := driver.Open(env, path, maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o.Table.Close() })
		tables[i] = o.Table.(*rulefile.Table)
	}
	tables[1].TryAll()
	return tables[0], tables[1]
}

// sameAnswer compares the answers of two tables, and reports whether there was one.
func sameAnswer(t *testing.T, filtered, plain *rulefile.Table, text, key string) bool {
	t.Helper()
	var answers [2]string
	for i, table := range []*rulefile.Table{filtered, plain} {
		value, err := table.Lookup(context.Background(), &maptypes.Request{Key: []byte(key)})
		answers[i] = fmt.Sprintf("%q, %v", value, err)
	}
	if answers[0] != answers[1] {
		t.Errorf("key %q: %s; when all rules are tried: %s; table:\n%s", key, answers[0], answers[1], text)
	}
	return !strings.HasSuffix(answers[0], maptypes.ErrNotFound.Error())
}

// TestFilterChangesNothing compares random tables that have the filter with such
// that try every rule.
func TestFilterChangesNothing(t *testing.T) {
	for _, tc := range []struct {
		driver maptypes.Driver
		own    []string
	}{{regexpmap.Driver, regexpPieces}, {pcre.Driver, pcrePieces}} {
		t.Run(tc.driver.Type, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(5, 6))
			own := append(literalPieces(), tc.own...)
			found, missed, known := 0, 0, 0
			for range 1500 {
				text := patternTable(rnd, own)
				filtered, plain := twice(t, tc.driver, text)
				known += filtered.Filtered()
				for range 20 {
					if sameAnswer(t, filtered, plain, text, word(rnd)+word(rnd)) {
						found++
					} else {
						missed++
					}
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d found, %d not found, %d rules are filtered", found, missed, known)
			if found < 1000 || missed < 1000 || known < 5000 {
				t.Errorf("%d found, %d not found, %d rules are filtered: the test has lost its material", found, missed, known)
			}
		})
	}
}

// TestFilterAgreesWithEngines has tables of one random rule, and keys with bits
// of its text.
func TestFilterAgreesWithEngines(t *testing.T) {
	for _, tc := range []struct {
		driver maptypes.Driver
		own    []string
	}{{regexpmap.Driver, regexpPieces}, {pcre.Driver, pcrePieces}} {
		t.Run(tc.driver.Type, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(7, 8))
			pieces := append(append(literalPieces(), commonPieces...), tc.own...)
			found, saved := 0, 0
			for range 3000 {
				var expr strings.Builder
				for range 1 + rnd.IntN(7) {
					expr.WriteString(pick(rnd, pieces))
				}
				text := fmt.Sprintf("/%s/%s x\n", expr.String(), pick(rnd, flags))
				filtered, plain := twice(t, tc.driver, text)
				if filtered.Filtered() == 0 {
					continue
				}
				for range 40 {
					if sameAnswer(t, filtered, plain, text, word(rnd)+expr.String()[:rnd.IntN(expr.Len())]+word(rnd)) {
						found++
					} else {
						saved++
					}
				}
				if t.Failed() {
					return
				}
			}
			if found < 1000 || saved < 1000 {
				t.Errorf("%d found, %d not found: the test has lost its material", found, saved)
			}
		})
	}
}

// literalPieces make expressions with more text in them, so that the filter has
// something to say.
func literalPieces() []string {
	return []string{"aab", "b1", "a_", "x.", "b-a", "(ab|b)", "(ab|b|)", "(a|bc)?", "(x|.)", "[ab]", "[Aa]b", "a{0,1}", "b{2,}", "x{1}", "(ab){2}", "[]b]", "[^]a]", `\-`, `\_`, ".*", ".+"}
}

// endless finds back references and high counts, which can keep the C library
// busy for ever.
var endless = regexp.MustCompile(`\\[1-9]|[0-9]{2}`)

// FuzzFilter does the same with tables that the fuzzer makes.
func FuzzFilter(f *testing.F) {
	f.Add("/^abc?d(x|y)+[Aa]\\.z$/ x $1\nif !/ab/\n/./ y\nendif\n!/[a-c]*q{0}r/ z", "abcdxA.z")
	f.Add("/a(?#c)*b\\Qx.y\\E*/ x\n/(?i)K|(?x) a b # c/ y", "ax.b")
	f.Add("/\\x41\\(b\\)\\1{1,2}/x x\n/a\\{2\\}|b/x y", "Abb")
	f.Fuzz(func(t *testing.T, text, key string) {
		if len(text) > 400 || len(key) > 60 {
			return
		}
		for _, driver := range []maptypes.Driver{regexpmap.Driver, pcre.Driver} {
			if driver.Type == "regexp" && (endless.MatchString(text) || strings.Count(text, "{") > 4) {
				continue
			}
			filtered, plain := twice(t, driver, text)
			sameAnswer(t, filtered, plain, text, key)
		}
	})
}

// TestOnlyPossibleRulesAreTried has rules whose literals the key has, or not,
// and says which of them a lookup must not overlook.
func TestOnlyPossibleRulesAreTried(t *testing.T) {
	const table = `/^first@/ 1
!/./ never
/second|dritte/ 2
if /@inner\.example$/
/^a/ inner a
!/[0-9]+x/ inner not
endif
if !/zoo/
/^b/ not zoo b
endif
/^c(.*)d/ <$1>
!/e/ no e
`
	for _, driver := range []maptypes.Driver{regexpmap.Driver, pcre.Driver} {
		filtered, _ := twice(t, driver, table)
		if got := filtered.Filtered(); got != 9 {
			t.Errorf("%s: %d rules are filtered, want 9", driver.Type, got)
		}
		for key, want := range map[string]string{
			"FIRST@x": "1", "drItte": "2", "a@inner.EXAMPLE": "inner a", "c@inner.example": "inner not",
			"b zoo": "no e", "b": "not zoo b", "cd zoo": "<>", "cad": "<a>", "x": "no e", "xe": "",
		} {
			value, err := filtered.Lookup(context.Background(), &maptypes.Request{Key: []byte(key)})
			if string(value) != want || (err == nil) != (want != "") {
				t.Errorf("%s: key %q: %q, %v; want %q", driver.Type, key, value, err, want)
			}
		}
	}
}

// TestFilterAndMatchLimit: where the engine gives up, a negated rule is skipped;
// the filter must not say "no match" in its place, although the key lacks "xy".
func TestFilterAndMatchLimit(t *testing.T) {
	env, log := logEnv(false)
	h, path := open(t, env, "pcre", "!/^(a+)+\\dxy[^z]*y/ not\n/a/ next\n", 0)
	if got := lookup(t, h, strings.Repeat("a", 40)+"!y", 0); got != "next" {
		t.Errorf("%q, want the result of the next rule", got)
	}
	want := []string{fmt.Sprintf("warning: pcre map %s, line 1: match limit exceeded", path)}
	if !slices.Equal(*log, want) {
		t.Errorf("log %q, want %q", *log, want)
	}
}
