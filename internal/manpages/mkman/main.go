// Command mkman writes the manual pages that are made from the Markdown files of a docs directory: mkman docs target.
// Each page goes to target/man1, man5 or man8, as man(1) wants it; `man -M target postmap` shows one.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/proxymapd/proxymapd/internal/manpages"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: mkman docs target")
		os.Exit(1)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "mkman:", err)
		os.Exit(1)
	}
}

func run(docs, target string) error {
	pages, err := manpages.Load(docs)
	if err != nil {
		return err
	}
	for _, page := range pages {
		dir := filepath.Join(target, "man"+page.Section)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, page.Name+"."+page.Section), page.Roff(), 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("made %d manual pages in %s\n", len(pages), target)
	return nil
}
