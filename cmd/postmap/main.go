// Command postmap builds, queries, updates and lists lookup tables. See
// postmap(1).
package main

import (
	"os"

	"github.com/proxymapd/proxymapd/internal/check"
	"github.com/proxymapd/proxymapd/internal/postmap"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

func main() {
	if os.Args[0] == check.HelperName {
		os.Exit(check.Helper(all.Drivers()))
	}
	os.Exit(postmap.Main(os.Args, all.Drivers()))
}
