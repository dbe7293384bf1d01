package sqlite

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes/query"
)

// FuzzQuote checks that a key between quotes is a text of SQL that means the
// key, whatever stands in front.
func FuzzQuote(f *testing.F) {
	for _, key := range []string{"a", "it's", `q"q`, "'", "''", `\'`, "' OR 1=1 --", "a\nb", "é", "%s", "*/", "]"} {
		f.Add(key)
	}
	c, err := dial(":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	f.Fuzz(func(t *testing.T, key string) {
		if strings.ContainsRune(key, 0) || !utf8.ValidString(key) || key == "" {
			t.Skip()
		}
		for _, text := range []string{
			"SELECT '%s'", `SELECT "%s"`, "SELECT 'it''s' <> '%s', '%s'", "SELECT /* ' */ '%s' -- \"", "SELECT '%s' AS \"%s\", '%s'", "SELECT '%s' AS `%s`, '%s'",
		} {
			var rules query.Rules
			template, err := rules.AddQuery("t", text)
			if err != nil {
				t.Fatal(err)
			}
			var parts query.Parts
			rules.Key(&parts, []byte(key))
			statement := string(template.Append(nil, &parts, &parts, quoter(template.Literals())))
			want := key
			if strings.Contains(text, "<>") {
				want = "1"
				if key == "it's" {
					want = "0"
				}
			}
			var got []string
			err = c.query(context.Background(), statement, func(value []byte) error {
				got = append(got, string(value))
				return nil
			})
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q %v, want %q", statement, got, err, want)
			}
		}
	})
}
