package mysql_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// attacks are keys that change a statement when they are not quoted right.
var attacks = []string{
	"' OR '1'='1", "\" OR \"1\"=\"1", "` OR `k`=`k", "\\' OR 1=1 -- ", "\\\" OR 1=1 -- ", "\\", "\\\\", "x\\' OR 1=1#", "'; DROP TABLE t; -- ",
	"\xbf' OR 1=1 -- ", "\xbf\\' OR 1=1 -- ", "\xbf\\", "\x81' OR 1=1 -- ", "\x81\\' OR 1=1 -- ", "\x95\\", "\xbf\x5c\x27 OR 1=1 -- ", "é' OR 1=1 -- ", "\xc3' OR 1=1 -- ",
	"*/ OR 1=1 -- ", "%' OR 1=1 -- ", "\n' OR 1=1 -- ", "\x1a'", "' UNION SELECT 'secret' -- ", "\x810\x81' OR 1=1 -- ", "\xbf",
}

// TestInjection asks for keys that are in no table: whatever is found has come
// through a changed statement. It does so with all quotes, in character sets
// whose characters can end in a backslash, and in servers where a backslash is
// a character like others.
func TestInjection(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"} {
		t.Run("mode="+mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.db.SQL(fmt.Sprintf("SET GLOBAL sql_mode = '%s'", mode))
			wheres := []string{"k = '%s'", "k = 'x%s'", "k = '%s' AND 1 = 0", "v = 'it''s %s'", "k IN ('-', '%s', '%s')"}
			if !strings.Contains(mode, "ANSI") {
				wheres = append(wheres, "k = \"%s\"", "k = \"it's %s\"", "k = 'x\"%s'")
			}
			for _, charset := range []string{"utf8mb4", "latin1", "gbk", "big5", "sjis", "cp932", "ascii", "binary", "euckr"} {
				for i, where := range wheres {
					h := b.open(b.table(fmt.Sprint("t", i, charset), "charset = "+charset+"\nquery = SELECT 'LEAK' FROM t WHERE "+where+"\n"))
					for _, key := range attacks {
						// An error of the server, about bytes that are no
						// characters or about mixed collations, is no harm;
						// one about the syntax is.
						got, err := get(h, key)
						if err == nil && got != "-" || err != nil && strings.Contains(err.Error(), "SQL syntax") {
							t.Errorf("charset %s, %s: key %q: %q %v", charset, where, key, got, err)
						}
					}
				}
			}
			if n := b.db.SQL("SELECT COUNT(*) FROM t"); n != "20\n" {
				t.Errorf("the table has %s rows", n)
			}
		})
	}
}

// TestIdentifiers puts the key where Postfix's quoting does not reach: in the
// name of a column.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	h := b.open(b.table("column", "query = SELECT `%s` FROM t WHERE k = 'a'\n"))
	b.want(h, "v", "x")
	if err := b.wantRetry(h, "v` FROM t UNION SELECT 'leak' -- "); err != nil && !strings.Contains(err.Error(), "Unknown column") {
		t.Errorf("error %v", err)
	}
}

// TestQuotingIsExact checks that the server sees the very bytes of the key.
func TestQuotingIsExact(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "NO_BACKSLASH_ESCAPES"} {
		t.Run("mode="+mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.db.SQL(fmt.Sprintf("SET GLOBAL sql_mode = '%s'", mode))
			random := rand.New(rand.NewPCG(5, 6))
			for charset, alphabet := range map[string][]string{
				"utf8mb4": {"a", "'", "\"", "\\", "\n", "\r", "\x1a", "%", "_", "é", "€", "😀"},
				"latin1":  {"a", "'", "\"", "\\", "\n", "\xe9", "\xbf", "\x81"},
				"binary":  {"a", "'", "\"", "\\", "\x00", "\xff", "\xbf"},
				"gbk":     {"a", "'", "\"", "\\", "\xbf\x5c", "\x81\x5c", "\xb0\xa1"},
				"sjis":    {"a", "'", "\"", "\\", "\x83\x5c", "\x95\x5c", "\xb1"},
				"big5":    {"a", "'", "\"", "\\", "\xa5\x5c", "\xb3\x5c"},
			} {
				h := b.open(b.table("exact"+charset, "charset = "+charset+"\nquery = SELECT HEX('%s')\n"))
				two := b.open(b.table("double"+charset, "charset = "+charset+"\nquery = SELECT HEX(\"%s\")\n"))
				for range 40 {
					key := ""
					for range 1 + random.IntN(8) {
						key += alphabet[random.IntN(len(alphabet))]
					}
					want := strings.ToUpper(hex.EncodeToString([]byte(key)))
					b.want(h, key, want)
					b.want(two, key, want)
				}
			}
		})
	}
}

func TestUnquotedPlaceIsReported(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for query, want := range map[string]bool{
		"SELECT v FROM t WHERE k = %s":                        true,
		"SELECT v FROM t WHERE k = 'it''s' AND v = %s":        true,
		"SELECT v FROM t WHERE k = '\\'%s'":                   false,
		"SELECT v FROM t WHERE k = 'a' /* don't */ OR '%s'":   false,
		"SELECT v FROM t WHERE k = 'a' OR k = _utf8mb4\"%s\"": false,
	} {
		b.takeLog()
		b.open(b.table("t", "query = "+query+"\n"))
		log := strings.Join(b.takeLog(), "\n")
		if strings.Contains(log, "no quotes around it") != want {
			t.Errorf("%s: log %q", query, log)
		}
	}
}
