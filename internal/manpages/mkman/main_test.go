package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/internal/testenv"
)

func TestRun(t *testing.T) {
	root, err := testenv.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	target := t.TempDir()
	if err := run(filepath.Join(root, "docs"), target); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"man1/postmap.1", "man5/proxymapd.5", "man5/proxymapd-mysql.5", "man8/master.8"} {
		text, err := os.ReadFile(filepath.Join(target, name))
		if err != nil || !strings.Contains(string(text), "\n.SH NAME\n") {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
	if err := run(target, target); err == nil {
		t.Error("a directory without texts made pages")
	}
}
