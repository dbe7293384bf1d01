package members_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/debugmap"
	"github.com/proxymapd/proxymapd/maptypes/fail"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/pipemap"
	"github.com/proxymapd/proxymapd/maptypes/static"
	"github.com/proxymapd/proxymapd/maptypes/unionmap"
)

// counted is a type that counts its open tables, and keeps the flags of the last
// request.
type counted struct {
	open  int
	flags maptypes.Flags
}

func (c *counted) driver() maptypes.Driver {
	return maptypes.Driver{Type: "counted", Open: func(_ *maptypes.Env, name string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
		if name == "broken" {
			return nil, errors.New("counted:broken cannot be opened")
		}
		c.open++
		return &maptypes.Opened{Table: c, Flags: flags | maptypes.FlagTry0Null | maptypes.FlagPattern}, nil
	}}
}

func (c *counted) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	c.flags = r.Flags
	return nil, maptypes.ErrNotFound
}

// counter is a type whose values are the keys behind their length, written to
// r.Buf.
var counter = maptypes.Driver{Type: "counter", Open: func(_ *maptypes.Env, _ string, _ maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	return &maptypes.Opened{Table: counterTable{}, Flags: flags}, nil
}}

type counterTable struct{}

func (counterTable) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	r.Buf = strconv.AppendInt(r.Buf[:0], int64(len(r.Key)), 10)
	r.Buf = append(r.Buf, r.Key...)
	return r.Buf, nil
}

func (counterTable) Close() error { return nil }

func (c *counted) Close() error { c.open--; return nil }

func newEnv(c *counted) *maptypes.Env {
	quiet := func(string, ...any) {}
	return &maptypes.Env{
		Registry: maptypes.NewRegistry(c.driver(), counter, unionmap.Driver, pipemap.Driver, debugmap.Driver, fail.Driver, inline.Driver, static.Driver),
		Infof:    quiet, Warnf: quiet, Errorf: quiet,
	}
}

func TestMembersAreClosed(t *testing.T) {
	for _, typ := range []string{"unionmap", "pipemap"} {
		var c counted
		env := newEnv(&c)
		h, err := env.Registry.Open(env, typ+":{counted:a, debug:counted:b}", maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c.open != 2 {
			t.Errorf("%s: %d members are open, want 2", typ, c.open)
		}
		h.Close()
		if c.open != 0 {
			t.Errorf("%s: %d members are open after close", typ, c.open)
		}
		_, err = env.Registry.Open(env, typ+":{counted:a, counted:broken}", maptypes.ReadOnly, 0)
		if err == nil || err.Error() != "counted:broken cannot be opened" || c.open != 0 {
			t.Errorf("%s: with a broken member: %v, and %d are open", typ, err, c.open)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	env := newEnv(&counted{})
	for _, tt := range []struct {
		depth int
		ok    bool
	}{{10, true}, {10000, false}} {
		for _, spec := range []string{
			strings.Repeat("debug:", tt.depth) + "static:x",
			strings.Repeat("unionmap:{", tt.depth) + "static:x" + strings.Repeat("}", tt.depth),
			strings.Repeat("pipemap:{", tt.depth) + "static:x" + strings.Repeat("}", tt.depth),
		} {
			h, err := env.Registry.Open(env, spec, maptypes.ReadOnly, 0)
			if tt.ok != (err == nil) {
				t.Errorf("%.20s... nested %d deep: %v", spec, tt.depth, err)
			}
			if err == nil {
				h.Close()
			}
		}
	}
}

// TestMembersAfterFailure checks that a daemon answers from the members that it
// has once the answer does not depend on the others.
func TestMembersAfterFailure(t *testing.T) {
	env := newEnv(&counted{})
	env.Daemon = true
	for spec, want := range map[string]string{
		"unionmap:{static:a, counted:broken}":         "retry",
		"unionmap:{counted:broken, static:a}":         "retry",
		"pipemap:{static:a, counted:broken}":          "retry",
		"pipemap:{inline:{x=a}, counted:broken}":      "not found",
		"pipemap:{inline:{k=a}, fail:x}":              "retry",
		"unionmap:{inline:{k=a}, static:b, static:c}": "a,b,c",
	} {
		h, err := env.Registry.Open(env, spec, maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		value, err := h.Lookup(context.Background(), &maptypes.Request{Key: []byte("k"), Flags: h.Flags()})
		got := string(value)
		switch maptypes.Class(err) {
		case maptypes.ErrRetry:
			got = "retry"
		case maptypes.ErrNotFound:
			got = "not found"
		}
		if got != want {
			t.Errorf("%s: got %q (%v), want %q", spec, got, err, want)
		}
		h.Close()
	}
}

// TestMembersHaveTheirOwnFlags checks that a member is asked with the flags of
// its own instance, and that the first one's are those of the whole.
func TestMembersHaveTheirOwnFlags(t *testing.T) {
	for spec, kind := range map[string]maptypes.Flags{
		"unionmap:{static:a, counted:b}": maptypes.FlagFixed,
		"unionmap:{counted:b, static:a}": maptypes.FlagPattern,
		"pipemap:{static:a, counted:b}":  maptypes.FlagFixed,
	} {
		var c counted
		env := newEnv(&c)
		h, err := env.Registry.Open(env, spec, maptypes.ReadOnly, maptypes.FlagNoProxy)
		if err != nil {
			t.Fatal(err)
		}
		if want := maptypes.FlagNoProxy | kind; h.Flags() != want {
			t.Errorf("%s: flags %v, want %v", spec, h.Flags(), want)
		}
		r := &maptypes.Request{Key: []byte("k"), Flags: h.Flags()}
		h.Lookup(context.Background(), r)
		if want := maptypes.FlagNoProxy | maptypes.FlagTry0Null | maptypes.FlagPattern; c.flags != want {
			t.Errorf("%s: the member was asked with flags %v, want %v", spec, c.flags, want)
		}
		if r.Flags != h.Flags() {
			t.Errorf("%s: the request's flags became %v", spec, r.Flags)
		}
		h.Close()
	}
}

// TestBuffersAreKeptApart passes values on that lie in the request's buffer.
func TestBuffersAreKeptApart(t *testing.T) {
	env := newEnv(&counted{})
	for spec, want := range map[string]string{
		"pipemap:{counter:x, counter:x, counter:x}":                       "543key",
		"unionmap:{counter:x, pipemap:{counter:x, counter:x}, counter:x}": "3key,43key,3key",
		"pipemap:{unionmap:{counter:x, static:a}, counter:x}":             "63key,a",
	} {
		h, err := env.Registry.Open(env, spec, maptypes.ReadOnly, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := &maptypes.Request{}
		for range 3 {
			r.Key, r.Flags = []byte("key"), h.Flags()
			if value, err := h.Lookup(context.Background(), r); err != nil || string(value) != want {
				t.Errorf("%s: got %q, %v; want %q", spec, value, err, want)
			}
		}
		h.Close()
	}
}

// TestSideBySide looks keys up in one table from many goroutines, each with its
// own request.
func TestSideBySide(t *testing.T) {
	env := newEnv(&counted{})
	h, err := env.Registry.Open(env, "unionmap:{pipemap:{inline:{k1=a1,k2=a2,k3=a3},inline:{a1=b1,a2=b2,a3=b3}}, inline:{k1=c1,k2=c2,k3=c3}}", maptypes.ReadOnly, maptypes.FlagFoldFix)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			n := g%3 + 1
			key, want := fmt.Appendf(nil, "K%d", n), fmt.Sprintf("b%d,c%d", n, n)
			r := &maptypes.Request{}
			for range 2000 {
				r.Key, r.Flags = key, h.Flags()
				if got, err := h.Lookup(context.Background(), r); err != nil || string(got) != want {
					t.Errorf("%s: got %q, %v; want %q", key, got, err, want)
					return
				}
			}
		})
	}
	wait.Wait()
}

func BenchmarkUnion(b *testing.B) {
	env := newEnv(&counted{})
	h, err := env.Registry.Open(env, "unionmap:{static:a, pipemap:{inline:{k=b}, inline:{b=c}}}", maptypes.ReadOnly, 0)
	if err != nil {
		b.Fatal(err)
	}
	r := &maptypes.Request{Key: []byte("k")}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		r.Flags = h.Flags()
		if _, err := h.Lookup(ctx, r); err != nil {
			b.Fatal(err)
		}
	}
}
