package inline

import (
	"context"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestOpenErrors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mode  maptypes.Mode
		flags maptypes.Flags
		want  string
	}{
		{"{a=b}", maptypes.Create, 0, "inline:{a=b} map requires O_RDONLY access mode"},
		{"{a=\xff}", maptypes.ReadOnly, maptypes.FlagUTF8Request, "bad UTF-8 syntax: \"inline:{a=\xff}\"; need \"inline:{name=value...}\""},
		{"{ , }", maptypes.ReadOnly, 0, `empty table: "inline:{ , }"; need "inline:{name=value...}"`},
		{"{a=/nonexistent/x}", maptypes.ReadOnly, maptypes.FlagSrcRHSIsFile, `open /nonexistent/x: No such file or directory: "inline:{a=/nonexistent/x}"; need "inline:{name=filename...}"`},
	} {
		_, err := open(&maptypes.Env{UTF8: true}, tt.name, tt.mode, tt.flags)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestInvalidUTF8OutsideUTF8Mode(t *testing.T) {
	opened, err := open(&maptypes.Env{}, "{a=\xff}", maptypes.ReadOnly, maptypes.FlagUTF8Request)
	if err != nil {
		t.Fatal(err)
	}
	value, err := opened.Table.Lookup(context.Background(), &maptypes.Request{Key: []byte("a")})
	if err != nil || string(value) != "\xff" {
		t.Errorf("got %q, %v", value, err)
	}
}

// FuzzOpen parses any name, and lists as many entries as there are.
func FuzzOpen(f *testing.F) {
	f.Add("{a=b, {c = d e}, \"f g\"=h}", uint32(0))
	f.Add("{{a=b}", uint32(maptypes.FlagFoldFix))
	f.Fuzz(func(t *testing.T, name string, flags uint32) {
		opened, err := open(&maptypes.Env{UTF8: true}, name, maptypes.ReadOnly, maptypes.Flags(flags)&^maptypes.FlagSrcRHSIsFile)
		if err != nil {
			return
		}
		tab := opened.Table.(*table)
		var c maptypes.Cursor
		n := 0
		for {
			if _, _, err := tab.Sequence(context.Background(), nil, &c); err != nil {
				break
			}
			n++
		}
		if n == 0 || n != tab.entries.Len() {
			t.Fatalf("%d entries listed, want %d", n, tab.entries.Len())
		}
	})
}
