package environ

import (
	"context"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("proxymapd_environ_test", "from outside")
	t.Setenv("PROXYMAPD_ENVIRON_TEST", "upper case")
	env := &maptypes.Env{Registry: maptypes.NewRegistry(Driver)}
	h, err := env.Registry.Open(env, "environ:any", maptypes.Create, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx := context.Background()
	lookup := func(key string, flags maptypes.Flags) string {
		value, err := h.Lookup(ctx, &maptypes.Request{Key: []byte(key), Flags: h.Flags() | flags})
		if err != nil {
			return err.Error()
		}
		return string(value)
	}
	for _, tt := range []struct {
		key   string
		flags maptypes.Flags
		want  string
	}{
		{"proxymapd_environ_test", 0, "from outside"},
		{"PROXYMAPD_ENVIRON_TEST", 0, "upper case"},
		{"PROXYMAPD_ENVIRON_TEST", maptypes.FlagFoldFix, "from outside"},
		{"proxymapd_environ_none", 0, "not found"},
		{"", 0, "not found"},
	} {
		if got := lookup(tt.key, tt.flags); got != tt.want {
			t.Errorf("%q with flags %v: got %q, want %q", tt.key, tt.flags, got, tt.want)
		}
	}
	update := func(key, value string) error {
		return h.Update(ctx, &maptypes.Request{Key: []byte(key), Value: []byte(value)})
	}
	defer updates.Clear()
	for _, value := range []string{"once", "updated"} {
		if err := update("proxymapd_environ_test", value); err != nil {
			t.Fatal(err)
		}
	}
	if got := lookup("proxymapd_environ_test", 0); got != "updated" {
		t.Errorf("after an update: got %q", got)
	}
	if err := update("a=b", "x"); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("update of a name with =: %v", err)
	}
	err = h.Delete(ctx, &maptypes.Request{Key: []byte("proxymapd_environ_test")})
	if err == nil || err.Error() != "table environ:any: delete operation is not supported" {
		t.Errorf("delete: %v", err)
	}
}
