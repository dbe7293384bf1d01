package proxymap_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/all"
)

// proxyEnv is the environment of a program whose queue directory has the
// sockets of the services.
func proxyEnv(t *testing.T, dir string, services ...string) *maptypes.Env {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range services {
		if err := os.Symlink(filepath.Join(dir, "sock-"+name), filepath.Join(dir, "private", name)); err != nil {
			t.Fatal(err)
		}
	}
	return &maptypes.Env{
		Registry: maptypes.NewRegistry(all.Drivers()...),
		Param: func(name string) (string, bool) {
			value, ok := map[string]string{"queue_directory": dir, "ipc_idle": "5s"}[name]
			return value, ok
		},
		Infof: t.Logf, Warnf: t.Logf, Errorf: t.Logf,
	}
}

func TestProxyTable(t *testing.T) {
	dir := shortDir(t)
	bolt := "bolt:" + filepath.Join(dir, "cache")
	params := map[string]string{
		"proxy_read_maps":  "proxy:inline:{k=v} proxy:fail:x proxy:texthash:/nonexistent proxy:" + bolt,
		"proxy_write_maps": "proxy:" + bolt,
	}
	startService(t, "proxymap", dir, params)
	startService(t, "proxywrite", dir, params)
	env := proxyEnv(t, dir, "proxymap", "proxywrite")
	ctx := context.Background()

	lookups := []struct {
		table, key, value string
		class             error
	}{
		{"proxy:inline:{k=v}", "k", "v", nil},
		{"proxy:proxy:inline:{k=v}", "K", "v", nil},
		{"proxy:inline:{k=v}", "other", "", maptypes.ErrNotFound},
		{"proxy:fail:x", "k", "", maptypes.ErrRetry},
		{"proxy:texthash:/nonexistent", "k", "", maptypes.ErrRetry},
	}
	for _, tt := range lookups {
		h := mustOpenTable(t, env, tt.table, maptypes.ReadOnly)
		value, err := h.Lookup(ctx, &maptypes.Request{Flags: h.Flags(), Key: []byte(tt.key)})
		if string(value) != tt.value || maptypes.Class(err) != tt.class {
			t.Errorf("%s, key %s: got %q, %v; want %q, %v", tt.table, tt.key, value, err, tt.value, tt.class)
		}
	}

	_, err := env.Open("proxy:static:secret", maptypes.ReadOnly, 0)
	if err == nil || maptypes.Class(err) != maptypes.ErrConfig ||
		!strings.Contains(err.Error(), `proxymap service is not configured for table "static:secret"`) {
		t.Errorf("a table that is not approved: %v", err)
	}
	// A program that forbids proxies gets the table itself.
	if h, err := env.Open("proxy:static:secret", maptypes.ReadOnly, maptypes.FlagNoProxy); err != nil {
		t.Errorf("with NO_PROXY: %v", err)
	} else {
		h.Close()
	}

	w := mustOpenTable(t, env, "proxy:"+bolt, maptypes.Create)
	for _, key := range []string{"a", "b"} {
		r := &maptypes.Request{Flags: w.Flags(), Key: []byte(key), Value: []byte("value of " + key)}
		if err := w.Update(ctx, r); err != nil {
			t.Fatalf("update %s: %v", key, err)
		}
	}
	if err := w.Delete(ctx, &maptypes.Request{Flags: w.Flags(), Key: []byte("none")}); maptypes.Class(err) != maptypes.ErrNotFound {
		t.Errorf("delete of a missing key: %v", err)
	}
	r := mustOpenTable(t, env, "proxy:"+bolt, maptypes.ReadOnly)
	var got []string
	for c := (&maptypes.Cursor{}); ; {
		key, value, err := r.Sequence(ctx, &maptypes.Request{Flags: r.Flags()}, c)
		if err != nil {
			if maptypes.Class(err) != maptypes.ErrNotFound {
				t.Errorf("sequence: %v", err)
			}
			break
		}
		got = append(got, string(key)+"="+string(value))
	}
	if want := "a=value of a b=value of b"; strings.Join(got, " ") != want {
		t.Errorf("sequence: got %q, want %q", got, want)
	}
}

func mustOpenTable(t *testing.T, env *maptypes.Env, spec string, mode maptypes.Mode) *maptypes.Handle {
	t.Helper()
	h, err := env.Open(spec, mode, maptypes.FlagLock|maptypes.FlagFoldFix)
	if err != nil {
		t.Fatalf("open %s: %v", spec, err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}
