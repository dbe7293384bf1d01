package postmap

import (
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/proxymapd/proxymapd/internal/manpages"
	"github.com/proxymapd/proxymapd/internal/testenv"
)

// TestManualPages compares the options with those in the manual pages, both ways.
func TestManualPages(t *testing.T) {
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := manpages.Load(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	for name, opt := range map[string]*options{"postmap": {}, "postalias": {aliases: true}} {
		page, ok := manpages.Find(pages, name)
		if !ok {
			t.Errorf("no page %s", name)
			continue
		}
		var real []string
		opt.flagSet().VisitAll(func(f *pflag.Flag) {
			if f.Shorthand != "" {
				real = append(real, "-"+f.Shorthand)
			}
			real = append(real, "--"+f.Name)
		})
		for _, d := range manpages.Differences(page.Options(), real) {
			t.Errorf("%s: %s", name, d)
		}
	}
}
