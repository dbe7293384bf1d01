package config

import (
	"slices"
	"strings"
	"testing"
)

// Every parameter of the list is found by its name, and nothing else is.
func TestLookupFindsEveryParameter(t *testing.T) {
	names := Names()
	for _, name := range names {
		if p, ok := Lookup(name); !ok || p.Name != name || p.Type == "" {
			t.Errorf("Lookup(%q) = %+v, %v", name, p, ok)
		}
		for _, other := range []string{name + "x", name[:len(name)-1], name + " ", " " + name, strings.ToUpper(name)} {
			if p, ok := Lookup(other); ok && !slices.Contains(names, other) {
				t.Errorf("Lookup(%q) = %+v", other, p)
			}
		}
	}
	for _, name := range []string{"", "#", "\n", "zzz", "name type"} {
		if p, ok := Lookup(name); ok {
			t.Errorf("Lookup(%q) = %+v", name, p)
		}
	}
	if len(names) < 800 || !slices.IsSorted(names) {
		t.Errorf("%d names, sorted: %v", len(names), slices.IsSorted(names))
	}
}
