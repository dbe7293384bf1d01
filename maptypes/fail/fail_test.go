package fail

import (
	"context"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestEverythingFails(t *testing.T) {
	env := &maptypes.Env{Registry: maptypes.NewRegistry(Driver)}
	for mode, change := range map[maptypes.Mode]error{
		maptypes.ReadOnly: maptypes.ErrConfig, // not supported
		maptypes.Create:   maptypes.ErrRetry,
	} {
		h, err := env.Registry.Open(env, "fail:x", mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		if h.Flags() != maptypes.FlagPattern {
			t.Errorf("flags %v", h.Flags())
		}
		ctx, r := context.Background(), &maptypes.Request{Key: []byte("k")}
		_, lookup := h.Lookup(ctx, r)
		_, _, sequence := h.Sequence(ctx, r, &maptypes.Cursor{})
		for operation, err := range map[string]error{"lookup": lookup, "sequence": sequence} {
			if maptypes.Class(err) != maptypes.ErrRetry || maptypes.Reason(err) != "" {
				t.Errorf("mode %d: %s: %v", mode, operation, err)
			}
		}
		for operation, err := range map[string]error{"update": h.Update(ctx, r), "delete": h.Delete(ctx, r)} {
			if maptypes.Class(err) != change {
				t.Errorf("mode %d: %s: %v, want class %v", mode, operation, err, change)
			}
		}
	}
}
