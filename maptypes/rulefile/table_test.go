package rulefile_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/cidr"
	"github.com/proxymapd/proxymapd/maptypes/pcre"
	regexpmap "github.com/proxymapd/proxymapd/maptypes/regexp"
)

// open opens a table with the given text.
func open(t testing.TB, env *maptypes.Env, kind, text string, flags maptypes.Flags) (h *maptypes.Handle, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "table")
	write(t, path, text)
	h, err := registry.Open(env, kind+":"+path, maptypes.ReadOnly, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, path
}

// write replaces a file in one step.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// lookup returns the value, or the class of the error in brackets.
func lookup(t testing.TB, h *maptypes.Handle, key string, flags maptypes.Flags) string {
	t.Helper()
	value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte(key), Flags: flags})
	if err != nil {
		return fmt.Sprintf("[%v]", maptypes.Class(err))
	}
	return string(value)
}

func decode(t *testing.T, b64 []byte) []byte {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(string(b64))
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestSubstitutionCanBeForbidden(t *testing.T) {
	for _, kind := range []string{"regexp", "pcre"} {
		env, log := logEnv(false)
		h, path := open(t, env, kind, "/^(.*)@a$/ $1\n/^b/ costs $$5\n/./ other\n", maptypes.FlagNoRegsub)
		for key, want := range map[string]string{"x@a": "other", "b": "costs $5"} {
			if got := lookup(t, h, key, 0); got != want {
				t.Errorf("%s: key %q: %q, want %q", kind, key, got, want)
			}
		}
		want := []string{fmt.Sprintf("warning: %s map %s, line 1: regular expression substitution is not allowed: skipping this rule", kind, path)}
		if !slices.Equal(*log, want) {
			t.Errorf("log %q, want %q", *log, want)
		}
	}
}

func TestKeysAreFoldedForPatternsOnRequest(t *testing.T) {
	for _, kind := range []string{"regexp", "pcre"} {
		env, _ := logEnv(false)
		h, _ := open(t, env, kind, "/^(aBc)$/i kept $1\n/^(abc)$/i lower $1\n", 0)
		for flags, want := range map[maptypes.Flags]string{
			0:                    "kept aBc",
			maptypes.FlagFoldFix: "kept aBc",
			maptypes.FlagFoldMul: "lower abc",
		} {
			if got := lookup(t, h, "aBc", flags); got != want {
				t.Errorf("%s: flags %v: %q, want %q", kind, flags, got, want)
			}
		}
	}
}

func TestResultsFromFiles(t *testing.T) {
	env, log := logEnv(false)
	dir := t.TempDir()
	for name, text := range map[string]string{"one": "price $5\n", "two": "zwei"} {
		write(t, filepath.Join(dir, name), text)
	}
	for kind, table := range map[string]string{
		"regexp": "/^a/ DIR/one\n/^b/ DIR/one, DIR/two\n/^c/ DIR/none\n/./ DIR/two\n",
		"pcre":   "/^a/ DIR/one\n/^b/ DIR/one, DIR/two\n/^c/ DIR/none\n/./ DIR/two\n",
		// The block around a rule is a block here; Postfix skips if and endif.
		"cidr": "if 10.0.0.0/8\n10.1.0.0/16 DIR/one\n10.2.0.0/16 DIR/one DIR/two\n10.3.0.0/16 DIR/none\n0.0.0.0/0 DIR/two\nendif\n",
	} {
		*log = nil
		h, path := open(t, env, kind, strings.ReplaceAll(table, "DIR", dir), maptypes.FlagSrcRHSIsFile)
		keys := []string{"a", "b", "c"}
		if kind == "cidr" {
			keys = []string{"10.1.1.1", "10.2.1.1", "10.3.1.1"}
			if got := lookup(t, h, "11.1.1.1", 0); got != "[not found]" {
				t.Errorf("cidr: outside the block: %q", got)
			}
		}
		for i, want := range []string{"price $5\n", "price $5\n\nzwei", "zwei"} {
			if got := decode(t, []byte(lookup(t, h, keys[i], 0))); string(got) != want {
				t.Errorf("%s: key %q: %q, want %q", kind, keys[i], got, want)
			}
		}
		line := 3
		if kind == "cidr" {
			line = 4
		}
		want := []string{fmt.Sprintf("warning: %s map %s, line %d: open %s/none: No such file or directory: skipping this rule", kind, path, line, dir)}
		if !slices.Equal(*log, want) {
			t.Errorf("log %q, want %q", *log, want)
		}
	}
}

func TestChangedFilesAreReadAgain(t *testing.T) {
	for kind, table := range map[string]string{"regexp": "/a/ %s\n", "pcre": "/a/ %s\n", "cidr": "10.0.0.0/8 %s\n"} {
		env, _ := logEnv(true)
		value := filepath.Join(t.TempDir(), "value")
		write(t, value, "first")
		h, path := open(t, env, kind, fmt.Sprintf(table, value), maptypes.FlagSrcRHSIsFile)
		key := "a"
		if kind == "cidr" {
			key = "10.1.1.1"
		}
		expect := func(want string) {
			t.Helper()
			var got string
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
				if got = string(decode(t, []byte(lookup(t, h, key, 0)))); got == want {
					return
				}
			}
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
		expect("first")
		write(t, value, "second")
		expect("second")
		other := filepath.Join(t.TempDir(), "value")
		write(t, other, "third")
		write(t, path, fmt.Sprintf(table, other))
		expect("third")
	}
}

func TestAllFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	value, none := filepath.Join(dir, "value"), filepath.Join(dir, "none")
	write(t, value, "text")
	for _, driver := range []maptypes.Driver{regexpmap.Driver, pcre.Driver, cidr.Driver} {
		env, _ := logEnv(true)
		path := filepath.Join(dir, driver.Type)
		write(t, path, fmt.Sprintf("/a/ %s\n/b/ %s\n", value, none))
		if driver.Type == "cidr" {
			write(t, path, fmt.Sprintf("10.0.0.0/8 %s\n11.0.0.0/8 %s\n", value, none))
		}
		o, err := driver.Open(env, path, maptypes.ReadOnly, maptypes.FlagSrcRHSIsFile)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Table.Close()
		if want := []string{path, value, none}; !slices.Equal(o.Watch, want) {
			t.Errorf("%s: watched are %q, want %q", driver.Type, o.Watch, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"regexp", "pcre", "cidr"} {
		for _, tc := range []struct {
			name string
			mode maptypes.Mode
			want string
		}{
			{dir + "/none", maptypes.ReadOnly, "open " + dir + "/none: No such file or directory"},
			{dir + "/none", maptypes.ReadWrite, kind + ":" + dir + "/none map requires O_RDONLY access mode"},
			{dir, maptypes.ReadOnly, kind + " map " + dir + ": read error: Is a directory"},
			{"{{a}", maptypes.ReadOnly, kind + " map: missing '}' in \"{{a}\""},
		} {
			env, _ := logEnv(false)
			_, err := registry.Open(env, kind+":"+tc.name, tc.mode, 0)
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s:%s: error %v, want %s", kind, tc.name, err, tc.want)
			}
		}
	}
}

func TestAnEndedRequestIsNotAMiss(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, kind := range []string{"regexp", "pcre"} {
		env, log := logEnv(false)
		h, _ := open(t, env, kind, "/b/ x\n/a/ y\n", 0)
		_, err := h.Lookup(ctx, &maptypes.Request{Key: []byte("a")})
		if maptypes.Class(err) != maptypes.ErrRetry || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want one of class retry that says why", kind, err)
		}
		if len(*log) > 0 {
			t.Errorf("%s: log %q", kind, *log)
		}
	}
}

// TestClientsSideBySide has many goroutines match the same expressions, whose
// offsets would mix if memory were shared.
func TestClientsSideBySide(t *testing.T) {
	for kind, table := range map[string]string{
		"regexp": "/^no/ no\n/^(.*)@(.*)$/ $2 $1\n",
		"pcre":   "/^no/ no\n/^(.*)@(.*)$/ $2 $1\n",
		"cidr":   "10.0.0.0/24 net\n!10.1.0.0/16 not\n",
	} {
		env, _ := logEnv(false)
		h, _ := open(t, env, kind, table, 0)
		var clients sync.WaitGroup
		for n := range 16 {
			clients.Go(func() {
				var r maptypes.Request
				for i := range 300 {
					key, want := fmt.Sprintf("user%d@%s", i, strings.Repeat("x", n)), fmt.Sprintf("%s user%d", strings.Repeat("x", n), i)
					if kind == "cidr" {
						key, want = fmt.Sprintf("10.%d.0.%d", n, i%256), []string{"net", "", "not"}[min(n, 2)]
					}
					r.Key = append(r.Key[:0], key...)
					value, err := h.Lookup(context.Background(), &r)
					if string(value) != want || (err != nil) != (want == "") {
						t.Errorf("%s: key %q: %q, %v; want %q", kind, key, value, err, want)
						return
					}
				}
			})
		}
		clients.Wait()
	}
}

func TestLongKeysAndManyGroups(t *testing.T) {
	const groups = 40
	table := "/^" + strings.Repeat("(.)", groups) + "(.*)$/ ${40}-${41}\n"
	key := bytes.Repeat([]byte("abcdefghij"), 10000)
	want := "j-" + string(key[groups:])
	for _, kind := range []string{"regexp", "pcre"} {
		env, _ := logEnv(false)
		h, _ := open(t, env, kind, table, 0)
		if got := lookup(t, h, string(key), 0); got != want {
			t.Errorf("%s: %d bytes %.20q, want %d bytes %.20q", kind, len(got), got, len(want), want)
		}
	}
}

func TestLookupsAllocateNothing(t *testing.T) {
	for kind, tc := range map[string]struct {
		table string
		keys  []string
	}{
		"regexp": {"/^no/ no\nif /@/\n/^(.*)@(.*)$/ $2 $1\nendif\n", []string{"user@example.com", "host.example"}},
		"pcre":   {"/^no/ no\nif /@/\n/^(.*)@(.*)$/ $2 $1\nendif\n", []string{"user@example.com", "host.example"}},
		"cidr":   {"10.0.0.0/8 net\n2001:db8::/32 six\n", []string{"10.1.1.1", "2001:db8::1", "10.1", "2001:db8:1", "host.example"}},
	} {
		env, _ := logEnv(false)
		h, _ := open(t, env, kind, tc.table, 0)
		for _, key := range tc.keys {
			r := maptypes.Request{Key: []byte(key)}
			ctx := context.Background()
			if n := testing.AllocsPerRun(200, func() { h.Lookup(ctx, &r) }); n >= 1 {
				t.Errorf("%s: key %q: %v allocations", kind, key, n)
			}
		}
	}
}
