package static

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		flags maptypes.Flags
		value string
		err   string
	}{
		{"a b", 0, "a b", ""},
		{"{ a b }", 0, "a b", ""},
		{"{}", 0, "", ""},
		{"{{a}}", 0, "{a}", ""},
		{"{a", 0, "", `bad static:name syntax: missing '}' in "{a"`},
		{"{a}b", 0, "", `bad static:name syntax: syntax error after '}' in "{a}b"`},
		{file, maptypes.FlagSrcRHSIsFile, "dGV4dAo=", ""},
		{"{" + file + ", " + file + "}", maptypes.FlagSrcRHSIsFile, "dGV4dAoKdGV4dAo=", ""},
		{file + ".none", maptypes.FlagSrcRHSIsFile, "", "open " + file + ".none: No such file or directory"},
		{"{}", maptypes.FlagSrcRHSIsFile, "", "empty pathname list: >><<'"},
	} {
		opened, err := open(nil, tt.name, maptypes.ReadOnly, tt.flags)
		if err != nil {
			if err.Error() != tt.err {
				t.Errorf("%q: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		value, err := opened.Table.Lookup(context.Background(), &maptypes.Request{Key: []byte("k")})
		if err != nil || string(value) != tt.value || tt.err != "" {
			t.Errorf("%q: got %q, %v; want %q, %q", tt.name, value, err, tt.value, tt.err)
		}
	}
}
