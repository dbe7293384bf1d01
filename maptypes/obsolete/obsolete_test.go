package obsolete_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/obsolete"
)

// TestRefused checks that each type is refused in Postfix's words and with
// advice, for opening and for making a table, and is not listed.
func TestRefused(t *testing.T) {
	reg := maptypes.NewRegistry(obsolete.DBM, obsolete.NetInfo, obsolete.NIS, obsolete.NISPlus, obsolete.SDBM)
	env := &maptypes.Env{Registry: reg}
	for _, typ := range []string{"dbm", "netinfo", "nis", "nisplus", "sdbm"} {
		_, openErr := reg.Open(env, typ+":x", maptypes.ReadOnly, 0)
		_, createErr := reg.Create(env, typ+":x", 0)
		for _, err := range []error{openErr, createErr} {
			if !errors.Is(err, maptypes.ErrConfig) || !strings.HasPrefix(err.Error(), "unsupported dictionary type: "+typ+": ") || !strings.Contains(err.Error(), "postmap(1)") {
				t.Errorf("%s: %v", typ, err)
			}
		}
	}
	if types := reg.Types(); len(types) > 0 {
		t.Errorf("types %q", types)
	}
}
