package debugmap_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/debugmap"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/internalmap"
)

func TestRequestsAreLogged(t *testing.T) {
	var log []string
	env := &maptypes.Env{
		Registry: maptypes.NewRegistry(debugmap.Driver, fail.Driver, internalmap.Driver),
		Infof:    func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) },
	}
	ctx := context.Background()
	open := func(spec string) *maptypes.Handle {
		h, err := env.Registry.Open(env, spec, maptypes.Create, maptypes.FlagFoldFix)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	request := func(h *maptypes.Handle, key, value string) *maptypes.Request {
		return &maptypes.Request{Key: []byte(key), Value: []byte(value), Flags: h.Flags()}
	}
	memory := open("debug:internal:m")
	if memory.Flags() != maptypes.FlagFoldFix|maptypes.FlagFixed {
		t.Errorf("flags %v", memory.Flags())
	}
	if err := memory.Update(ctx, request(memory, "Key", "v")); err != nil {
		t.Error(err)
	}
	if value, err := memory.Lookup(ctx, request(memory, "KEY", "")); err != nil || string(value) != "v" {
		t.Errorf("lookup: %q, %v", value, err)
	}
	var c maptypes.Cursor
	memory.Sequence(ctx, request(memory, "", ""), &c)
	memory.Sequence(ctx, request(memory, "", ""), &c)
	memory.Delete(ctx, request(memory, "key", ""))
	memory.Delete(ctx, request(memory, "key", ""))
	if _, err := memory.Lookup(ctx, request(memory, "key", "")); err != maptypes.ErrNotFound {
		t.Errorf("lookup after delete: %v", err)
	}
	broken := open("debug:debug:fail:f")
	if _, err := broken.Lookup(ctx, request(broken, "key", "")); err != maptypes.ErrRetry {
		t.Errorf("lookup in fail: %v", err)
	}
	want := []string{
		`internal:m update: "Key" = "v": success`,
		`internal:m lookup: "KEY" = "v"`,
		`internal:m sequence: "key" = "v"`,
		`internal:m sequence: found EOF`,
		`internal:m delete: "key": success`,
		`internal:m delete: "key": failed`,
		`internal:m lookup: "key" = "not_found"`,
		`fail:f lookup: "key" = "error"`,
		`debug:fail:f lookup: "key" = "error"`,
	}
	if !slices.Equal(log, want) {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
}
