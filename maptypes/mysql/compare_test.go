package mysql_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTablesAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	domains := b.write("domains", "file.org, !neg.org\n# comment\nexample.net\n")
	keys := []string{
		"a", "A", "none", "empty", "null", "many", "addr", "user@example.com", "user", "@example.com", "user@", "@", "it's", "back\\slash", "q\"q", "%",
		"' OR '1'='1", "x\\", "", "a b", "user@EXAMPLE.COM", "user@file.org", "user@neg.org", "a@b@example.net", "user@.example..com.", "a\nb",
	}
	var specs []string
	for name, settings := range map[string]string{
		"plain":       "query = SELECT v FROM t WHERE k='%s'",
		"double":      "query = SELECT v FROM t WHERE k=\"%s\"",
		"like":        "query = SELECT v FROM t WHERE k LIKE '%s%%'",
		"parts":       "query = SELECT v FROM t WHERE k='%u' OR k = '%d'",
		"upper":       "query = SELECT v FROM t WHERE k='%U@%D' OR k = '%S'",
		"user":        "query = SELECT v FROM t WHERE k='%u'",
		"labels":      "query = SELECT CONCAT('%1', '-', '%2')",
		"label 3":     "query = SELECT '%3'",
		"format":      "query = SELECT v FROM t WHERE k='%s'\nresult_format = <%s>",
		"formatparts": "query = SELECT v FROM t WHERE k='%s'\nresult_format = %u at %d, 100%%",
		"formatuser":  "query = SELECT v FROM t WHERE k='%s'\nresult_format = (%u)",
		"formatkey":   "query = SELECT v FROM t WHERE k='%s'\nresult_format = %s|%S|%U|%D|%1|%2",
		"columns":     "query = SELECT v, k, NULL, '', 1 FROM t WHERE k='%s'",
		"legacy":      "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = AND v <> 'x' ORDER BY v DESC",
		"limit":       "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = 2",
		"limit one":   "query = SELECT v, k FROM t WHERE k='%s'\nexpansion_limit = 1",
		"negative":    "query = SELECT v FROM t WHERE k='%s'\nexpansion_limit = -1",
		"domain":      "query = SELECT v FROM t WHERE k='%u'\ndomain = example.COM, !x.org,inline:{inl.org=x} " + domains,
		"notdomain":   "query = SELECT v FROM t WHERE k='%u'\ndomain = !" + domains + " !!example.com",
		"faildomain":  "query = SELECT v FROM t WHERE k='%u'\ndomain = example.com, fail:x",
		"call":        "query = CALL one('%s')",
		"callnone":    "query = CALL none('%s')",
		"callnoneok":  "query = CALL none('%s')\nrequire_result_set = no",
		"set":         "query = SET @x = '%s'",
		"sqlerror":    "query = SELECT nosuch FROM t WHERE k='%s'",
		"literal":     "query = SELECT 'constant'",
	} {
		specs = append(specs, b.table(strings.ReplaceAll(name, " ", ""), settings))
	}
	b.compareAll(specs, keys)
	// Of an empty value in the first of two results Postfix says nothing.
	b.compare(b.table("calltwo", "query = CALL two('%s')"), "a", "none", "many")
	b.compare(b.table("late", "query = CALL late('%s')"), "a")
}

func TestBadSettingsAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var specs []string
	const query = "query = SELECT v FROM t WHERE k='%s'\n"
	for name, settings := range map[string]string{
		"badquery":  "query = SELECT '%x'",
		"lastchar":  "query = SELECT %",
		"badformat": query + "result_format = %0",
		"noquery":   "table = t",
		"notable":   "",
		"badint":    query + "expansion_limit = 1x",
		"badbool":   query + "require_result_set = maybe",
		"nofile":    query + "domain = /no/such/file",
		"nopattern": query + "domain = a ! b",
		"noequals":  query + "password",
	} {
		specs = append(specs, b.table(name, settings))
	}
	specs = append(specs, "mysql:"+b.write("nodb.cf", query), "mysql:"+b.dir+"/missing.cf", "mysql:main")
	b.compareAll(specs, []string{"a"})
}

// TestRandomKeysAgainstPostfix looks for keys that are quoted otherwise.
func TestRandomKeysAgainstPostfix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	spec := b.table("echo", "query = SELECT HEX('%s'), '%s', \"%s\"")
	h := b.open(spec)
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "'", "\"", "\\", "`", "%", "_", "\n", "\r", "\x1a", ";", "-- ", "/*", "é", "€", "@", "日", "😀"}
	for range 60 {
		var key strings.Builder
		for range 1 + random.IntN(12) {
			key.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		want, log := b.postmap(spec, key.String())
		if got, err := get(h, key.String()); got+"\n" != want || err != nil {
			t.Errorf("lookup of %q: %q %v, want %q (%q)", key.String(), got, err, want, log)
		}
	}
}

// TestNumbers checks that values of all types arrive as the server prints them.
func TestNumbers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.db.SQL(`CREATE TABLE n (id INT, z INT(7) ZEROFILL, tz TINYINT(3) ZEROFILL, bz BIGINT(20) ZEROFILL, u BIGINT UNSIGNED, i BIGINT, y YEAR,
		f FLOAT, f2 FLOAT(9,2), d DOUBLE, d3 DOUBLE(12,3), dec3 DECIMAL(9,3), dt DATETIME(3), da DATE, ti TIME, bi BIT(8), bl BLOB, e ENUM('p','q'), s SET('p','q'));
		INSERT INTO n VALUES (1, 42, 7, 1, 18446744073709551615, -9223372036854775808, 2007, 1.5, 2.5, 1e20, 1.5, 1.5, '2020-01-02 03:04:05.678', '2020-01-02', '01:02:03', b'01000001', 'blob', 'q', 'p,q'),
		(2, 12345678, 255, 12345678901234567890, 0, 0, 0, 1e-20, 0, 0.1, 0, 0, '0000-00-00', '0000-00-00', '-838:59:59', b'1000001', 'x', 'p', '');`)
	random := rand.New(rand.NewPCG(3, 4))
	for i := 3; i < 60; i++ {
		f := fmt.Sprintf("%.*ge%d", 1+random.IntN(17), random.Float64()*10-5, random.IntN(40)-20)
		b.db.SQL(fmt.Sprintf("INSERT INTO n (id, z, u, i, f, f2, d, d3) VALUES (%d, %d, %d, %d, %s, %d.25, %s, 0.5)", i, random.IntN(1000), random.Uint64(), random.Int64(), f, random.IntN(100), f))
	}
	spec := b.table("numbers", "query = SELECT * FROM n WHERE id = '%s'")
	var keys []string
	for i := 1; i < 60; i++ {
		keys = append(keys, fmt.Sprint(i))
	}
	b.compare(spec, keys...)
}
