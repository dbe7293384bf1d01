package randmap

import (
	"context"
	"slices"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestEveryValueIsChosen fails by chance once in 10^26 runs.
func TestEveryValueIsChosen(t *testing.T) {
	opened, err := open(nil, "{a, {b c} d}", maptypes.ReadOnly, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 150 {
		value, err := opened.Table.Lookup(context.Background(), &maptypes.Request{Key: []byte("k")})
		if err != nil {
			t.Fatal(err)
		}
		seen[string(value)] = true
	}
	want := []string{"a", "d", "{b c}"}
	for value := range seen {
		if !slices.Contains(want, value) {
			t.Errorf("unexpected value %q", value)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("values %v, want %q", seen, want)
	}
}

func TestOpenErrors(t *testing.T) {
	for _, name := range []string{"{}", "{ , }", "a", "{a}b"} {
		_, err := open(nil, name, maptypes.ReadOnly, 0)
		if want := `bad syntax: "randmap:` + name + `"; need "randmap:{value...}"`; err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
	_, err := open(nil, "{a}", maptypes.ReadWrite, 0)
	if err == nil || err.Error() != "randmap:{a} map requires O_RDONLY access mode" {
		t.Errorf("for writing: %v", err)
	}
}
