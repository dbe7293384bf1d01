package memtable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// TestTableAgainstMap compares a table with a Go map after random changes.
func TestTableAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	table, want, order := New(0), map[string]string{}, []string{}
	for i := range 5000 {
		key, value := fmt.Sprint("key", r.IntN(2000)), fmt.Sprint("value", i)
		if r.IntN(100) == 0 {
			key = ""
		}
		if _, known := want[key]; known {
			order = remove(order, key)
		}
		order = append(order, key)
		want[key] = value
		if err := table.Set([]byte(key), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	table.Fit()
	if table.Len() != len(want) {
		t.Errorf("%d keys, want %d", table.Len(), len(want))
	}
	for key, value := range want {
		if got, ok := table.Get([]byte(key)); !ok || string(got) != value {
			t.Errorf("%q: got %q, %v; want %q", key, got, ok, value)
		}
	}
	if got, ok := table.Get([]byte("key2000")); ok {
		t.Errorf("a key that is not there: got %q", got)
	}
	var c maptypes.Cursor
	for i, wantKey := range order {
		key, value, err := table.Next(&c)
		if err != nil || string(key) != wantKey || string(value) != want[wantKey] {
			t.Fatalf("entry %d: got %q, %q, %v; want %q, %q", i, key, value, err, wantKey, want[wantKey])
		}
	}
	if key, _, err := table.Next(&c); err != maptypes.ErrNotFound {
		t.Errorf("after the last entry: %q, %v", key, err)
	}
}

func remove(list []string, s string) []string {
	for i := range list {
		if list[i] == s {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

func fill(t testing.TB, keys ...string) *Table {
	table := New(0)
	for _, key := range keys {
		if err := table.Set([]byte(key), []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// TestCursorInNewVersion moves a cursor from one version of a table to the next.
func TestCursorInNewVersion(t *testing.T) {
	for _, tt := range []struct {
		name string
		keys []string
		want string
	}{
		{"same", []string{"a", "b", "c", "d"}, "c"},
		{"entry added before", []string{"new", "a", "b", "c"}, "c"},
		{"entry gone", []string{"a", "x", "c", "d"}, "c"},
		{"all others gone", []string{"b"}, ""},
		{"empty", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := fill(t, "a", "b", "c", "d")
			var c maptypes.Cursor
			for range 2 {
				if _, _, err := old.Next(&c); err != nil {
					t.Fatal(err)
				}
			}
			key, _, err := fill(t, tt.keys...).Next(&c)
			if string(key) != tt.want || (err == maptypes.ErrNotFound) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", key, err, tt.want)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	table := New(0)
	for i := range 1_000_000 {
		if err := table.Set(fmt.Appendf(nil, "user%d@example.com", i), []byte("value")); err != nil {
			b.Fatal(err)
		}
	}
	key := []byte("user777777@example.com")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := table.Get(key); !ok {
			b.Fatal("not found")
		}
	}
}
