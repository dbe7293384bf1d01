package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestTablesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	domains := b.write("domains", "file.org, !neg.org\n# comment\nexample.net\n")
	keys := []string{
		"a", "A", "none", "empty", "null", "many", "addr", "user@example.com", "user", "@example.com", "user@", "@", "it's", "back\\slash", "q\"q", "%",
		"' OR '1'='1", "x\\", "", "a b", "user@EXAMPLE.COM", "user@file.org", "user@neg.org", "a@b@example.net", "user@.example..com.",
		"é", "nul", "bytes", "\xff", "a\xffb",
	}
	for name, settings := range map[string]string{
		"plain":       "query = SELECT v FROM t WHERE k='%s'",
		"like":        "query = SELECT v FROM t WHERE k LIKE '%s%%'",
		"parts":       "query = SELECT v FROM t WHERE k='%u' OR k = '%d'",
		"upper":       "query = SELECT v FROM t WHERE k='%U@%D' OR k = '%S'",
		"user":        "query = SELECT v FROM t WHERE k='%u'",
		"labels":      "query = SELECT '%1' || '-' || '%2'",
		"label 3":     "query = SELECT '%3'",
		"format":      "query = SELECT v FROM t WHERE k='%s'\nresult_format = <%s>",
		"formatparts": "query = SELECT v FROM t WHERE k='%s'\nresult_format = %u at %d, 100%%",
		"formatuser":  "query = SELECT v FROM t WHERE k='%s'\nresult_format = (%u)",
		"formatkey":   "query = SELECT v FROM t WHERE k='%s'\nresult_format = %s|%S|%U|%D|%1|%2",
		"columns":     "query = SELECT v, k, NULL, '', 1 FROM t WHERE k='%s'",
		"legacy":      "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = AND v <> 'x' ORDER BY v DESC",
		"limit":       "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = 2",
		"negative":    "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = -1",
		"domain":      "query = SELECT v FROM t WHERE k='%u'\ndomain = example.COM, !x.org,inline:{inl.org=x} " + domains,
		"notdomain":   "query = SELECT v FROM t WHERE k='%u'\ndomain = !" + domains + " !!example.com",
		"faildomain":  "query = SELECT v FROM t WHERE k='%u'\ndomain = example.com, fail:x",
		"two":         "query = SELECT v FROM t WHERE k='%s'; SELECT 'second'",
		"literal":     "query = SELECT 'constant'",
	} {
		b.compare(b.table(strings.ReplaceAll(name, " ", ""), settings), keys...)
	}
}

// TestErrorsAgainstPostfix makes the database refuse queries.
func TestErrorsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, settings := range map[string]string{
		"column":   "query = SELECT nosuch FROM t WHERE k='%s'",
		"syntax":   "query = SELECTED '%s'",
		"overflow": "query = SELECT abs(-9223372036854775808) WHERE '%s' <> ''",
		"later":    "query = SELECT abs(v) FROM (SELECT 1 AS v UNION ALL SELECT -9223372036854775808) WHERE '%s' <> ''",
	} {
		b.compare(b.table(name, settings), "a", "it's", "")
	}
}

func TestBadSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const query = "query = SELECT v FROM t WHERE k='%s'\n"
	for name, settings := range map[string]string{
		"badquery":  "query = SELECT '%x'",
		"lastchar":  "query = SELECT '%",
		"badformat": query + "result_format = %0",
		"noquery":   "table = t",
		"notable":   "",
		"badint":    query + "expansion_limit = 1x",
		"nofile":    query + "domain = /no/such/file",
		"nopattern": query + "domain = a ! b",
		"noequals":  query + "password",
	} {
		b.compare(b.table(name, settings), "a")
	}
	b.compare("sqlite:"+b.write("nodb.cf", query), "a")
	b.compare("sqlite:"+b.dir+"/missing.cf", "a")
	b.compare("sqlite:main", "a")
}

// TestRandomKeysAgainstPostfix looks for keys that are quoted otherwise.
func TestRandomKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := b.table("echo", "query = SELECT hex('%s') || '%s'")
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "'", "\"", "\\", "`", "%", "_", "\r", "\x1a", ";", "-- ", "/*", "é", "€", "@", "日", "😀", "\xff", "[", "?", ":x"}
	var keys []string
	for range 200 {
		var key strings.Builder
		for range 1 + random.IntN(12) {
			key.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		keys = append(keys, key.String())
	}
	b.compare(spec, keys...)
}

// TestValuesAgainstPostfix checks that values of all types arrive as SQLite
// prints them. Numbers have no more digits than old versions of it print.
func TestValuesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sql(`CREATE TABLE n (id INTEGER PRIMARY KEY, v, d DATE, ts TIMESTAMP, bo BOOLEAN);
		INSERT INTO n (v, d, ts, bo) VALUES (42, '2020-01-02', '2020-01-02 03:04:05', 1), (-9223372036854775808, 0, 1600000000, 'yes'),
		(1.5, 1.5, 1.5, 0), (1e20, 1e20, 1e20, 1e20), (1e-20, '', '', ''), (0.1, NULL, NULL, NULL), (x'626c6f62', x'', x'00', x'ff'), ('text', 't', 't', 't');`)
	random := rand.New(rand.NewPCG(3, 4))
	var numbers strings.Builder
	for range 40 {
		fmt.Fprintf(&numbers, "INSERT INTO n (v) VALUES (%.*ge%d);\n", 1+random.IntN(9), random.Float64()*10-5, random.IntN(18)-9)
	}
	b.sql(numbers.String())
	for _, column := range []string{"v", "d", "ts", "bo"} {
		spec := b.table("values"+column, "query = SELECT "+column+" FROM n WHERE id = '%s'")
		var ids []string
		for id := 1; id <= 48; id++ {
			ids = append(ids, fmt.Sprint(id))
		}
		b.compare(spec, ids...)
	}
}

// TestOpenAgainstPostfix opens databases in unusual ways.
func TestOpenAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const query = "query = SELECT v FROM t WHERE k='%s'\n"
	b.compare("sqlite:"+b.write("uri.cf", "dbpath = file:"+b.file+"?mode=ro\n"+query), "a", "none")
	b.compare("sqlite:"+b.write("memory.cf", "dbpath = :memory:\nquery = SELECT 'm'\n"), "a")
	b.write("text", strings.Repeat("this is no database\n", 100))
	b.compare("sqlite:"+b.write("text.cf", "dbpath = "+b.dir+"/text\n"+query), "a")
	// Postfix 3.7 creates a database that is missing; later versions say what ours does.
	spec := "sqlite:" + b.write("missing.cf", "dbpath = "+b.dir+"/none\n"+query)
	want := fmt.Sprintf("%s: open database %s/none: unable to open database file: No such file or directory", spec, b.dir)
	if _, err := b.env.Registry.Open(b.env, spec, maptypes.ReadOnly, flags); err == nil || err.Error() != want {
		t.Errorf("open of a missing database: %v, want %s", err, want)
	}
}
