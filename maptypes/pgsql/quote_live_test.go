package pgsql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestQuotesMeanTheKey puts keys in all kinds of quotes, and the server returns
// them.
func TestQuotesMeanTheKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	random := rand.New(rand.NewPCG(5, 6))
	alphabet := []string{"a", "'", "''", "\"", "\\", "\\'", "`", "_", "\n", "\r", ";", "--", "/*", "*/", "é", "日", "$$", "$a$", "e'", "u&'", " "}
	queries := map[string]string{
		"plain":     "SELECT '%s'",
		"escapes":   `SELECT E'%s'`,
		"lower":     `SELECT e'%s' -- it's`,
		"unicode":   `SELECT U&'%s'`,
		"function":  `SELECT reverse(reverse('%s')), lower(E'it\'s'), '%s'`,
		"name":      `SELECT '%s' AS "it's %s"`,
		"after":     `SELECT '%s' AS U&"%s", '%s'`,
		"comment":   "SELECT /* it's /* %s */ ' */ '%s' -- %s",
		"dollar":    "SELECT $$it's$$, $a$'$$'$a$, '%s'",
		"backslash": `SELECT 'c:\' || '', '%s'`,
		"cast":      "SELECT '%s'::text, 'x''%s''y' <> ''",
		"array":     "SELECT (ARRAY['%s', 'b'])[1]",
		"operator":  "SELECT 1 WHERE '%s' = '%s' AND E'%s' = '%s'",
	}
	handles := map[string]*maptypes.Handle{}
	for name, query := range queries {
		handles[name] = b.open(b.table(name, "query = "+query))
	}
	if log := b.takeLog(); len(log) > 0 {
		t.Errorf("log: %q", log)
	}
	for range 100 {
		var key strings.Builder
		key.WriteByte('k')
		for range 1 + random.IntN(8) {
			key.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		k := key.String()
		for name, h := range handles {
			want := map[string]string{
				"function":  k + ",it's," + k,
				"after":     k + "," + k,
				"dollar":    "it's,'$$'," + k,
				"backslash": `c:\,` + k,
				"cast":      k + ",t",
				"operator":  "1",
			}[name]
			if want == "" {
				want = k
			}
			b.want(h, k, want)
		}
	}
}

// TestInjection looks up keys that try to be more than text.
func TestInjection(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, standard := range []string{"on", "off"} {
		b.db.SQL("ALTER ROLE mail SET standard_conforming_strings = " + standard)
		for name, query := range map[string]string{
			"plain":   "SELECT v FROM t WHERE k = '%s'",
			"escapes": "SELECT v FROM t WHERE k = E'%s'",
			"name":    `SELECT v AS "%s" FROM t WHERE k = '%s'`,
			"comment": "SELECT v /* %s */ FROM t WHERE k = '%s' -- %s",
			"parts":   "SELECT v FROM t WHERE k = '%u' || '@' || '%d' AND '%1' <> ''",
		} {
			// The encoding keeps tables from sharing connections.
			h := b.open(b.table(name+standard, "query = "+query+"\nencoding = "+map[string]string{"on": "UTF8", "off": "UTF-8"}[standard]))
			for _, end := range []string{"'", `"`, `\'`, `\\'`, "''", "';", "')", "*/", "\n'", "$$"} {
				for _, attack := range []string{" OR 1=1 --", " OR 1=1 /*", " UNION SELECT v FROM t --", " OR ''='", "; DROP TABLE t --"} {
					for _, key := range []string{"u" + end + attack, "u" + end + attack + "@x.com", "u@x" + end + attack + ".com"} {
						if value, err := get(h, key); value != "-" || err != nil {
							t.Errorf("%s: lookup of %q: %q %v", name, key, value, err)
						}
					}
				}
			}
		}
	}
	if got := b.db.SQL("SELECT count(*) FROM t WHERE k = 'a'"); got != "1\n" {
		t.Errorf("table t: %s", got)
	}
}

// TestEncodings uses characters whose second half is the byte of a backslash,
// in a server that sees escapes.
func TestEncodings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.SQL("ALTER ROLE mail SET standard_conforming_strings = off")
	for encoding, characters := range map[string][]string{
		"SJIS":    {"\x83\x5c", "\x95\x5c", "\xb1"},
		"BIG5":    {"\xa5\x5c", "\xb3\x5c"},
		"GBK":     {"\x81\x5c", "\xc4\xe3"},
		"GB18030": {"\x81\x30\x81\x30", "\x81\x5c"},
		"UHC":     {"\x81\x61", "\xb0\xa1"},
		"EUC_JP":  {"\xa4\xa2"},
		"LATIN1":  {"\xe9", "\xff"},
	} {
		h := b.open(b.table(encoding, "query = SELECT '%s' || length('%s')\nencoding = "+encoding))
		for _, c := range characters {
			for _, frame := range []string{"%s", "a%s", "%sb", "%s'", "'%s", "%s\\", "\\%s'", "%[1]s%[1]s"} {
				key := fmt.Sprintf(frame, c)
				length := len(key) - (len(c)-1)*strings.Count(key, c)
				b.want(h, key, key+fmt.Sprint(length))
			}
		}
	}
	for encoding, keys := range map[string][]string{
		"SJIS": {"\x83", "a\x83", "\x83' OR 1=1 --", "\x83'"},
		"GBK":  {"\xbf'", "\xbf' OR 1=1 --"},
		"BIG5": {"\xa5' OR 1=1 --"},
		"UTF8": {"\xe0' OR 1=1 --", "\xff", "a\x00' OR 1=1 --"},
	} {
		h := b.open(b.table("bad"+encoding, "query = SELECT v FROM t WHERE k = '%s'\nencoding = "+encoding))
		for _, key := range keys {
			b.want(h, key, "-")
		}
	}
	h := b.open(b.table("eucjp", "query = SELECT v FROM t WHERE k = '%s'\nencoding = EUC_JP"))
	b.wantRetry(h, "\xa4' OR 1=1 --")
}

// TestWarnsAboutQuotes checks the log of tables whose query is not safe.
func TestWarnsAboutQuotes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for query, warns := range map[string]bool{
		"SELECT '%s'":                   false,
		"SELECT %s":                     true,
		"SELECT $$%s$$":                 true,
		"SELECT '' || '%s' || %s || ''": true,
		"SELECT 'it''s' /* %s */":       false,
		`SELECT 'x' AS "%s"`:            false,
	} {
		spec := b.table("t", "query = "+query)
		b.takeLog()
		b.open(spec)
		log := strings.Join(b.takeLog(), "\n")
		if strings.Contains(log, "no quotes around it") != warns {
			t.Errorf("%s: log %q", query, log)
		}
	}
}
