//go:build !mongodb

package mongodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/mongodb"
)

// TestLeftOut checks what a build without the tag says. The other tests need the
// tag: go test -tags mongodb ./maptypes/mongodb
func TestLeftOut(t *testing.T) {
	reg := maptypes.NewRegistry(mongodb.Driver)
	_, err := reg.Open(&maptypes.Env{Registry: reg}, "mongodb:/etc/postfix/users.cf", maptypes.ReadOnly, 0)
	if !errors.Is(err, maptypes.ErrConfig) || !strings.HasPrefix(err.Error(), "unsupported dictionary type: mongodb: ") || !strings.Contains(err.Error(), "-tags mongodb") {
		t.Errorf("open: %v", err)
	}
	if types := reg.Types(); len(types) > 0 {
		t.Errorf("types %q", types)
	}
}
