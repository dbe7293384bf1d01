package internalmap

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func open1(t *testing.T) *maptypes.Handle {
	t.Helper()
	env := &maptypes.Env{Registry: maptypes.NewRegistry(Driver)}
	h, err := env.Registry.Open(env, "internal:x", maptypes.Create, maptypes.FlagFoldFix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func request(h *maptypes.Handle, key, value string) *maptypes.Request {
	return &maptypes.Request{Key: []byte(key), Value: []byte(value), Flags: h.Flags()}
}

func keys(t *testing.T, h *maptypes.Handle, c *maptypes.Cursor) (list []string) {
	t.Helper()
	for {
		key, value, err := h.Sequence(context.Background(), request(h, "", ""), c)
		if err == maptypes.ErrNotFound {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(key)+"="+string(value))
	}
}

func TestChanges(t *testing.T) {
	h, ctx := open1(t), context.Background()
	for _, key := range []string{"b", "A", "c"} {
		if err := h.Update(ctx, request(h, key, "1")); err != nil {
			t.Fatal(err)
		}
	}
	// Replaced without any flag for duplicates, as in Postfix.
	if err := h.Update(ctx, request(h, "B", "2")); err != nil {
		t.Fatal(err)
	}
	if value, err := h.Lookup(ctx, request(h, "B", "")); err != nil || string(value) != "2" {
		t.Errorf("lookup: %q, %v", value, err)
	}
	if got := keys(t, h, &maptypes.Cursor{}); !slices.Equal(got, []string{"b=2", "a=1", "c=1"}) {
		t.Errorf("entries: %q", got)
	}
	if err := h.Delete(ctx, request(h, "a", "")); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := h.Delete(ctx, request(h, "a", "")); err != maptypes.ErrNotFound {
		t.Errorf("second delete: %v", err)
	}
	if _, err := h.Lookup(ctx, request(h, "a", "")); err != maptypes.ErrNotFound {
		t.Errorf("lookup of a deleted key: %v", err)
	}
}

// TestSequenceWhileDeleting deletes each entry as it is listed, as a cache
// cleanup does.
func TestSequenceWhileDeleting(t *testing.T) {
	h, ctx := open1(t), context.Background()
	const entries = 1000
	for i := range entries {
		if err := h.Update(ctx, request(h, fmt.Sprint(i), "v")); err != nil {
			t.Fatal(err)
		}
	}
	var c maptypes.Cursor
	for i := range entries {
		key, _, err := h.Sequence(ctx, request(h, "", ""), &c)
		if err != nil || string(key) != fmt.Sprint(i) {
			t.Fatalf("entry %d: got %q, %v", i, key, err)
		}
		if i%10 == 0 {
			continue
		}
		if err := h.Delete(ctx, request(h, string(key), "")); err != nil {
			t.Fatal(err)
		}
	}
	if left := keys(t, h, &maptypes.Cursor{}); len(left) != entries/10 {
		t.Errorf("%d entries left, want %d", len(left), entries/10)
	}
}
