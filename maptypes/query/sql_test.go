package query

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/tablecf"
)

// openSQL returns a table with the given settings and its log. @ in the settings
// stands for the directory of the test.
func openSQL(t *testing.T, settings string) (*SQL, *[]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"t.cf": strings.ReplaceAll(settings, "@", dir), "domains": "file.org !not.org\n/" + dir[1:] + "/more\n", "more": "more.org\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := &[]string{}
	env := &maptypes.Env{
		Registry: maptypes.NewRegistry(inline.Driver, fail.Driver),
		UTF8:     true,
		Warnf:    func(format string, args ...any) { *log = append(*log, fmt.Sprintf(format, args...)) },
	}
	cf, err := tablecf.Load(env, filepath.Join(dir, "t.cf"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSQL(env, "sql", "t", cf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, log
}

func TestLegacyStatement(t *testing.T) {
	s, _ := openSQL(t, "table = t\nselect_field = v\nwhere_field = k\nadditional_conditions = and x = 'y'\n")
	if want := "SELECT v FROM t WHERE k='%s' and x = 'y'"; s.Text != want {
		t.Errorf("statement %q, want %q", s.Text, want)
	}
}

func TestDomains(t *testing.T) {
	s, log := openSQL(t, "query = %s\ndomain = Example.COM !x.org @/domains\n inline:{in.org=x} bücher.example !fail:x\n")
	for key, want := range map[string]error{
		"u@example.com": nil, "u@EXAMPLE.com": nil, "u@x.org": maptypes.ErrNotFound, "u@file.org": nil, "u@more.org": nil, "u@not.org": maptypes.ErrNotFound,
		"u@in.org": nil, "u@IN.org": nil, "u@BÜCHER.example": nil, "u@sub.example.com": maptypes.ErrRetry,
		"u": maptypes.ErrNotFound, "@example.com": maptypes.ErrNotFound, "example.com": maptypes.ErrNotFound,
	} {
		var p Parts
		if err := s.Key(context.Background(), &p, []byte(key)); maptypes.Class(err) != want {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
	if want := []string{"t: fail:x: table lookup problem"}; !slices.Equal(*log, want) {
		t.Errorf("log %q, want %q", *log, want)
	}
	var p Parts
	err := s.Key(context.Background(), &p, []byte("u@other"))
	if want := "sql:t 'domain' pattern match failed for 'u@other'"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if files := s.Files(); len(files) != 2 {
		t.Errorf("files %q", files)
	}
}

func TestNegatedFile(t *testing.T) {
	s, _ := openSQL(t, "query = %s\ndomain = !@/domains, in.org\n")
	for key, want := range map[string]error{"u@file.org": maptypes.ErrNotFound, "u@not.org": nil, "u@in.org": nil} {
		var p Parts
		if err := s.Key(context.Background(), &p, []byte(key)); maptypes.Class(err) != want {
			t.Errorf("%s: %v, want %v", key, err, want)
		}
	}
}

func TestResultLimits(t *testing.T) {
	s, log := openSQL(t, "query = %s\nexpansion_limit = 2\n")
	var p Parts
	if err := s.Key(context.Background(), &p, []byte("key")); err != nil {
		t.Fatal(err)
	}
	r := s.NewResult(&p, nil)
	for _, value := range [][]byte{[]byte("one"), nil, {}, []byte("two\x00rest")} {
		if err := r.Add(value); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	if string(r.Text) != "one,two" {
		t.Errorf("result %q", r.Text)
	}
	err := r.Add([]byte("three"))
	if want := "dict_sql_lookup: t: Expansion limit exceeded for key: 'key'"; err == nil || err.Error() != want || maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("error %v, want %s", err, want)
	}
	if want := []string{"table \"sql:t\": empty lookup result for: \"key\" -- ignored"}; !slices.Equal(*log, want) {
		t.Errorf("log %q", *log)
	}
	s, _ = openSQL(t, "query = %s\n")
	r = s.NewResult(&p, nil)
	big := make([]byte, maxResult/4)
	for i := range big {
		big[i] = 'x'
	}
	for range 3 {
		if err := r.Add(big); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Add(big); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("a result of %d bytes: %v", len(r.Text), err)
	}
}

func TestEmptyKey(t *testing.T) {
	s, log := openSQL(t, "query = %s\n")
	var p Parts
	if err := s.Key(context.Background(), &p, nil); err != maptypes.ErrNotFound {
		t.Errorf("error %v", err)
	}
	if want := []string{"table \"sql:t\": empty query string -- ignored"}; !slices.Equal(*log, want) {
		t.Errorf("log %q", *log)
	}
}
