package maptypes_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// With a LookInterval a new file shows after that time at the latest; an update of ours shows at once.
func TestLookInterval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	synctest.Test(t, func(t *testing.T) {
		write(t, path, "one")
		env, _ := newEnv(true, false, fileDriver)
		env.LookInterval = time.Second
		h := mustOpen(t, env, "file:"+path, 0)
		defer h.Close()
		want := func(want string) {
			t.Helper()
			value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte("k")})
			if err != nil || string(value) != want+"/k" {
				t.Errorf("%q, %v, want %s", value, err, want)
			}
		}
		want("one")
		write(t, path, "three")
		time.Sleep(time.Second / 2)
		want("one")
		time.Sleep(time.Second / 2)
		want("three")
		write(t, path, "fifteen")
		if err := h.Update(context.Background(), &maptypes.Request{Key: []byte("k")}); err == nil {
			t.Error("the table can be updated")
		}
		want("fifteen")
	})
}
