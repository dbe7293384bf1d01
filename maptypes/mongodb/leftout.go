//go:build !mongodb

package mongodb

import "github.com/proxymapd/proxymapd/maptypes"

// Driver stands for the map type mongodb: in a build without its library.
var Driver = maptypes.Driver{
	Type:    Type,
	LeftOut: "this program was built without the MongoDB library; build it with `go build -tags mongodb` (docs/builds.md)",
}
