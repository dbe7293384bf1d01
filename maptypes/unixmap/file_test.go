package unixmap

import (
	"context"
	"errors"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

func TestFileFormats(t *testing.T) {
	users := "# comment\n+nis::::::\n\nroot:x:0:0:root:/root:/bin/bash\nshort:x:5:60:s:/\nbad:x:y:0::/:/bin/sh\n" +
		"big:x:4294967294:007:Big,,,:/big:/bin/a:b\nroot:x:9:9:second:/:/x"
	groups := "root:x:0:\nmail:x:8:a,b\nnone:x:9\nbad:x\n"
	for _, tt := range []struct {
		format     format
		text       string
		name, want string
	}{
		{userLine, users, "root", "root:x:0:0:root:/root:/bin/bash"},
		{userLine, users, "short", "short:x:5:60:s:/:"},
		{userLine, users, "big", "big:x:4294967294:7:Big,,,:/big:/bin/a:b"},
		{userLine, users, "bad", ""},
		{userLine, users, "nis", ""},
		{userLine, users, "+nis", ""},
		{userLine, users, "", ""},
		{groupLine, groups, "root", "root:x:0:"},
		{groupLine, groups, "mail", "mail:x:8:a,b"},
		{groupLine, groups, "none", "none:x:9:"},
		{groupLine, groups, "bad", ""},
	} {
		got, found := tt.format.find([]byte{}, tt.text, func(e *fields) bool { return e.name == tt.name })
		if string(got) != tt.want || found != (tt.want != "") {
			t.Errorf("%q: got %q, %v; want %q", tt.name, got, found, tt.want)
		}
	}
}

// newTable returns a table over a made-up database.
func newTable(find func([]byte, string) ([]byte, bool, error), hasRoot bool) *table {
	return &table{
		database: database{what: "password", find: find, hasRoot: func() bool { return hasRoot }},
		calls:    make(chan struct{}, maxCalls),
	}
}

func TestNotFoundNeedsAWorkingDatabase(t *testing.T) {
	none := func(dst []byte, _ string) ([]byte, bool, error) { return dst, false, nil }
	broken := func(dst []byte, _ string) ([]byte, bool, error) { return dst, false, errors.New("no server") }
	for _, tt := range []struct {
		name  string
		table *table
		class error
		text  string
	}{
		{"working", newTable(none, true), maptypes.ErrNotFound, ""},
		{"without any user", newTable(none, false), maptypes.ErrRetry, "cannot access UNIX password database"},
		{"broken", newTable(broken, true), maptypes.ErrRetry, "cannot access UNIX password database: no server"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for _, ctx := range []context.Context{ctx, context.Background()} {
			_, err := tt.table.Lookup(ctx, &maptypes.Request{Key: []byte("x")})
			if maptypes.Class(err) != tt.class || maptypes.Reason(err) != tt.text {
				t.Errorf("%s: %v, want class %v, %q", tt.name, err, tt.class, tt.text)
			}
		}
	}
}

// TestHangingDatabase breaks requests off that wait for a database which does
// not answer, and bounds their number.
func TestHangingDatabase(t *testing.T) {
	release := make(chan struct{})
	started := make(chan struct{}, 2*maxCalls)
	tab := newTable(func(dst []byte, name string) ([]byte, bool, error) {
		started <- struct{}{}
		<-release
		return append(dst, name...), true, nil
	}, true)
	for i := range 2 * maxCalls {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		if i >= maxCalls { // there is no room for a further call
			cancel()
		}
		go func() {
			_, err := tab.Lookup(ctx, &maptypes.Request{Key: []byte("x")})
			done <- err
		}()
		if i < maxCalls {
			<-started
			cancel()
		}
		if err := <-done; maptypes.Class(err) != maptypes.ErrRetry {
			t.Errorf("cancelled lookup: %v", err)
		}
	}
	if n := len(started); n > 0 {
		t.Errorf("%d calls more than %d at once", n, maxCalls)
	}
	close(release)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if value, err := tab.Lookup(ctx, &maptypes.Request{Key: []byte("x")}); err != nil || string(value) != "x" {
		t.Errorf("after the database came back: %q, %v", value, err)
	}
}
