package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// firstCell and name find the parameters in the tables of docs/maps.
var (
	firstCell = regexp.MustCompile(`(?m)^\| (` + "`" + `[^|]*)\|`)
	name      = regexp.MustCompile("`([a-z][A-Za-z0-9_]*)`")
)

// Every parameter that the manual page of a map type has is known: a file that uses all of them has no unused one.
func TestDocumentedClientParametersAreKnown(t *testing.T) {
	for _, kind := range []string{"ldap", "memcache", "mongodb", "mysql", "pgsql", "sqlite", "redis", "http"} {
		t.Run(kind, func(t *testing.T) {
			page, err := os.ReadFile("../../docs/maps/" + kind + ".md")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var settings strings.Builder
			seen := map[string]bool{}
			for _, cell := range firstCell.FindAllSubmatch(page, -1) {
				for _, found := range name.FindAllSubmatch(cell[1], -1) {
					if text := string(found[1]); !seen[text] && !strings.HasPrefix(text, "proxymapd_") {
						seen[text] = true
						settings.WriteString(text + " = 1\n")
					}
				}
			}
			if len(seen) < 10 {
				t.Fatalf("only %d parameters in the page", len(seen))
			}
			table := filepath.Join(dir, "t.cf")
			writeFile(t, dir, "t.cf", settings.String())
			writeFile(t, dir, "main.cf", "virtual_alias_maps = "+kind+":"+table+"\n")
			writeFile(t, dir, "master.cf", "")
			makeOld(t, dir)
			var stdout, stderr bytes.Buffer
			if exit := run([]string{"-c", dir, "-n"}, &stdout, &stderr); exit != 0 || stderr.Len() > 0 {
				t.Errorf("exit %d, %s", exit, &stderr)
			}
		})
	}
}
