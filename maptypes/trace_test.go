package maptypes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/inline"
	"github.com/proxymapd/proxymapd/maptypes/unionmap"
	"github.com/proxymapd/proxymapd/protocol"
)

// outline shows a trace without times.
func outline(t *maptypes.Trace) string {
	var b strings.Builder
	for _, s := range t.Steps() {
		fmt.Fprintf(&b, "%s%s|%s|%s\n", strings.Repeat(" ", s.Depth), s.Table, s.What, s.Result)
	}
	return b.String()
}

func TestTraceNests(t *testing.T) {
	var worker maptypes.Trace
	worker.Begin("static:x", "lookup of %s", maptypes.Quote([]byte("k\n")))
	worker.Step("one")
	worker.End("found")

	var trace maptypes.Trace
	trace.Step("before")
	trace.Begin("proxy:static:x", "lookup")
	trace.Begin("", "asking")
	if err := trace.Graft(worker.AppendJSON(nil)); err != nil {
		t.Fatal(err)
	}
	trace.End("answered")
	trace.Result("done", "after")
	trace.End("x")
	trace.Step("at the end")
	want := `|before|
proxy:static:x|lookup|x
 proxy:static:x|asking|answered
  static:x|lookup of "k\n"|found
   static:x|one|
 proxy:static:x|after|done
|at the end|
`
	if got := outline(&trace); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	var none maptypes.Trace
	if got := string(none.AppendJSON([]byte("x"))); got != "x[]" {
		t.Errorf("an empty trace is %s", got)
	}
}

// TestTraceFromElsewhere: what another program sends is no trouble.
func TestTraceFromElsewhere(t *testing.T) {
	for text, want := range map[string]int{
		`[{"depth":-5,"what":"a"},{"depth":2000000000,"what":"b"}]`: 2,
		`[]`: 0, `{}`: -1, ``: -1, `[{"depth":"x"}]`: -1, "[\x00]": -1,
	} {
		var trace maptypes.Trace
		err := trace.Graft([]byte(text))
		if (err != nil) != (want < 0) || len(trace.Steps()) != max(0, want) {
			t.Errorf("%s: %v %v", text, trace.Steps(), err)
		}
		for _, s := range trace.Steps() {
			if s.Depth < 0 || s.Depth > 1000 {
				t.Errorf("depth %d", s.Depth)
			}
		}
	}
}

// TestTraceIsLimited fills a trace: it stays small enough to be sent, and says that something is left out.
func TestTraceIsLimited(t *testing.T) {
	var trace maptypes.Trace
	for range 100 {
		trace.Begin("static:x", "%s", strings.Repeat("\x01", 100<<10))
		trace.Step("%s", strings.Repeat("y", 100<<10))
		trace.End(strings.Repeat("z", 100<<10))
	}
	steps := trace.Steps()
	if last := steps[len(steps)-1].What; last != "further steps are left out" {
		t.Errorf("the last of %d steps: %.50s", len(steps), last)
	}
	text := trace.AppendJSON(nil)
	if len(text) > protocol.MaxValue || !json.Valid(text) || strings.Contains(string(text), "\x00") {
		t.Errorf("%d bytes of JSON", len(text))
	}
}

// TestTraceOfUnavailableTable: there is a trace also when there is no table, and when the driver panics.
func TestTraceOfUnavailableTable(t *testing.T) {
	env, _ := newEnv(true, true, fileDriver)
	path := t.TempDir() + "/t"
	h := mustOpen(t, env, "file:"+path, 0)
	r := maptypes.Request{Key: []byte("k"), Trace: &maptypes.Trace{}}
	if _, err := h.Lookup(context.Background(), &r); maptypes.Class(err) != maptypes.ErrRetry {
		t.Errorf("%v", err)
	}
	steps := r.Trace.Steps()
	if len(steps) != 1 || !strings.HasPrefix(steps[0].Result, "temporary error: file:"+path+" is unavailable. open ") {
		t.Errorf("%+v", steps)
	}
}

func TestTraceOfPanic(t *testing.T) {
	env, _ := newEnv(false, true, maptypes.Driver{
		Type: "panics",
		Open: func(*maptypes.Env, string, maptypes.Mode, maptypes.Flags) (*maptypes.Opened, error) {
			return &maptypes.Opened{Table: panicTable{}, Flags: maptypes.FlagFixed}, nil
		},
	}, unionmap.Driver)
	h := mustOpen(t, env, "unionmap:{panics:x}", 0)
	r := maptypes.Request{Key: []byte("k"), Trace: &maptypes.Trace{}}
	if _, err := h.Lookup(context.Background(), &r); maptypes.Class(err) != maptypes.ErrConfig {
		t.Errorf("%v", err)
	}
	r.Trace.Step("next")
	want := `unionmap:{panics:x}|lookup of "k"|configuration error: table panics:x: lookup: internal error: driver fault
 unionmap:{panics:x}|UTF-8 is not asked for: key not folded: not asked for, or done already|
 panics:x|lookup of "k"|configuration error: table panics:x: lookup: internal error: driver fault
  panics:x|UTF-8 is not asked for: key not folded: not asked for, or done already|
  panics:x|begun|
|next|
`
	if got := outline(r.Trace); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// panicTable panics between the beginning and the end of a step.
type panicTable struct{}

func (panicTable) Lookup(_ context.Context, r *maptypes.Request) ([]byte, error) {
	if r.Trace != nil {
		r.Trace.Begin("", "begun")
	}
	panic("driver fault")
}

func (panicTable) Close() error { return nil }

// TestLookupWithoutTraceIsFree: where nobody asks for a trace, a lookup allocates nothing, and a request that had one
// leaves none behind in the tables that it went through.
func TestLookupWithoutTraceIsFree(t *testing.T) {
	env, _ := newEnv(false, true, inline.Driver, unionmap.Driver)
	h := mustOpen(t, env, "unionmap:{inline:{a=b},inline:{a=c}}", maptypes.FlagFoldFix|maptypes.FlagUTF8Request)
	r := maptypes.Request{Key: []byte("A"), Flags: h.Flags(), Trace: &maptypes.Trace{}}
	lookup := func() {
		if value, err := h.Lookup(context.Background(), &r); err != nil || string(value) != "b,c" {
			t.Fatalf("%s %v", value, err)
		}
	}
	lookup()
	trace := r.Trace
	steps := len(trace.Steps())
	if steps != 8 {
		t.Errorf("%d steps:\n%s", steps, outline(trace))
	}
	r.Trace = nil
	if n := testing.AllocsPerRun(1000, lookup); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(trace.Steps()) != steps {
		t.Errorf("lookups without a trace left steps:\n%s", outline(trace))
	}
}

// TestTraceOfReload changes the file of a table.
func TestTraceOfReload(t *testing.T) {
	env, _ := newEnv(true, true, fileDriver)
	path := t.TempDir() + "/t"
	write(t, path, "one")
	h := mustOpen(t, env, "file:"+path, 0)
	if value, err := lookup(h, "k"); value != "one/k" {
		t.Fatalf("%q %v", value, err)
	}
	write(t, path, "second")
	r := maptypes.Request{Key: []byte("k"), Trace: &maptypes.Trace{}}
	value, err := h.Lookup(context.Background(), &r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"one/k": "the earlier version answers", "second/k": "reloaded"}[string(value)]
	if step := r.Trace.Steps()[1]; step.What != "a file of the table has changed" || step.Result != want {
		t.Errorf("%q: %+v", value, r.Trace.Steps())
	}
}
