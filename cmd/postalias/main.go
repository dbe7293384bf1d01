// Command postalias builds, queries, updates and lists tables of mail aliases. See
// postalias(1).
package main

import (
	"os"

	"github.com/proxymapd/proxymapd/internal/postmap"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

func main() { os.Exit(postmap.Postalias(os.Args, all.Drivers())) }
