package rulefile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// substring is a pattern that matches its own text; every opening parenthesis
// is a group that matches the whole.
type substring struct {
	text   string
	groups int
}

func (s substring) Match(_ context.Context, _ Memory, key []byte, offsets []int32) (bool, error) {
	at := bytes.Index(key, []byte(s.text))
	for i := 0; i < len(offsets); i += 2 {
		offsets[i], offsets[i+1] = int32(at), int32(at+len(s.text))
	}
	return at >= 0, nil
}

func (s substring) Groups() int { return s.groups }

func (s substring) Close() {}

func compileSubstring(expr string, _ uint32, _ bool) (Pattern, error) {
	if strings.Contains(expr, "?") {
		return nil, fmt.Errorf("bad expression %q", expr)
	}
	groups := strings.Count(expr, "(")
	return substring{strings.NewReplacer("(", "", ")", "").Replace(expr), groups}, nil
}

// FuzzPatternTable reads arbitrary tables in the grammars of regexp and pcre.
func FuzzPatternTable(f *testing.F) {
	f.Add([]byte("if /a/i\n!/b/ x$$\n/(c)/x <$1>\nendif\n/d/!/e/ y\n"), "acd")
	f.Add([]byte("{{/a/ b}, {/(c)/ ${1}$(1)}}"), "c")
	f.Add([]byte("/a\\/ x\n/b/q y\nendif\nif\n/(c)/ $2 ${1 $x\n!!\n|\\||i z\n # c\n\x00"), "|")
	f.Fuzz(func(t *testing.T, text []byte, key string) {
		for _, second := range []bool{true, false} {
			fuzzTable(t, second, text, key)
		}
	})
}

func fuzzTable(t *testing.T, second bool, text []byte, key string) {
	syntax := &Syntax{
		Type: "test", Options: map[byte]uint32{'i': 1, 'x': 2}, Obsolete: "X",
		Second: second, LastBackslash: second, Compile: compileSubstring,
	}
	env := &maptypes.Env{Warnf: func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); strings.Contains(line, "%!") {
			t.Errorf("malformed warning %q", line)
		}
	}}
	name := string(text)
	if !isInline(name) {
		name = filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o, err := Open(syntax, env, name, maptypes.ReadOnly, 0)
	if err != nil {
		return
	}
	value, err := o.Table.Lookup(context.Background(), &maptypes.Request{Key: []byte(key)})
	if err != nil && err != maptypes.ErrNotFound {
		t.Errorf("key %q: %v", key, err)
	}
	if limit := (len(text) + 1) * (len(key) + 1); len(value) > limit {
		t.Errorf("result of %d bytes", len(value))
	}
}
