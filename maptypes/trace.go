package maptypes

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Trace is the record of what a lookup did, step by step, for somebody who wants
// to know why it found what it found. The zero value is ready. It belongs to one
// goroutine, that of the request that carries it.
//
// A step is seen by whoever may look keys up: passwords and other credentials
// never go into one.
type Trace struct {
	steps []Step
	open  []openStep // the steps that have begun and not ended
	last  time.Time  // when the latest step began or ended
	size  int        // bytes of text so far
	full  bool       // nothing more is added
}

// Step is one step of a lookup.
type Step struct {
	// Depth is how many steps this one is a part of.
	Depth int `json:"depth"`
	// Table is the "type:name" that the step is about.
	Table string `json:"table,omitempty"`
	// What says what was done. Keys and values in it are quoted (Quote).
	What string `json:"what"`
	// Result is the outcome, when the step has one of its own.
	Result string `json:"result,omitempty"`
	// Elapsed is how long the step took: one that has others in it from its
	// beginning to its end, another since the step before it.
	Elapsed time.Duration `json:"elapsed_ns"`
}

type openStep struct {
	at    int // in steps; -1 when it was left out
	table string
	start time.Time
}

// Limits of a trace, so that it can be sent (protocol.MaxValue), also when JSON
// needs six bytes for one: bytes of all texts, bytes of one text, and steps in
// each other.
const (
	maxTraceSize  = 300 << 10
	maxStepText   = 8 << 10
	maxTraceDepth = 1000
)

// stepSize stands for what a step costs besides its texts.
const stepSize = 100

// Steps returns the steps in the order in which they began.
func (t *Trace) Steps() []Step { return t.steps }

// Step adds a step to the one that has begun last.
func (t *Trace) Step(format string, args ...any) { t.Result("", format, args...) }

// Result is Step with an outcome.
func (t *Trace) Result(result, format string, args ...any) {
	now := time.Now()
	t.add(Step{
		Depth: len(t.open), Table: t.table(), What: fmt.Sprintf(format, args...), Result: result,
		Elapsed: t.since(now),
	})
	t.last = now
}

// Begin adds a step that the following ones are parts of, until End. An empty
// table is that of the step around it.
func (t *Trace) Begin(table, format string, args ...any) { t.begin(table, format, args...) }

// begin is Begin; it returns what endAll needs.
func (t *Trace) begin(table, format string, args ...any) (depth int) {
	now := time.Now()
	if table == "" {
		table = t.table()
	}
	at := t.add(Step{Depth: len(t.open), Table: table, What: fmt.Sprintf(format, args...)})
	t.open = append(t.open, openStep{at: at, table: table, start: now})
	t.last = now
	return len(t.open)
}

// endAll ends the step that begin has returned depth for, after those in it that
// were not ended because the driver panicked.
func (t *Trace) endAll(depth int, result string) {
	for len(t.open) > depth {
		t.End("")
	}
	t.End(result)
}

// End ends the step that Begin has begun last.
func (t *Trace) End(result string) {
	n := len(t.open) - 1
	s := t.open[n]
	t.open = t.open[:n]
	now := time.Now()
	if s.at >= 0 {
		t.steps[s.at].Result = shorten(result)
		t.steps[s.at].Elapsed = now.Sub(s.start)
	}
	t.last = now
}

// Graft adds the steps of a trace that was made elsewhere, in the form of
// AppendJSON, to the step that has begun last.
func (t *Trace) Graft(text []byte) error {
	var steps []Step
	if err := json.Unmarshal(text, &steps); err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	for _, s := range steps {
		s.Depth = max(0, min(s.Depth, maxTraceDepth)) + len(t.open)
		t.add(s)
	}
	t.last = time.Now()
	return nil
}

// AppendJSON appends the steps as a JSON array, in which there is no NUL byte.
func (t *Trace) AppendJSON(dst []byte) []byte {
	text, err := json.Marshal(t.steps)
	if err != nil || t.steps == nil { // structs of texts and numbers have a form
		return append(dst, "[]"...)
	}
	return append(dst, text...)
}

// add adds a step and returns its place, or -1 when there is no more room.
func (t *Trace) add(s Step) int {
	if t.full {
		return -1
	}
	s.What, s.Result, s.Table = shorten(s.What), shorten(s.Result), shorten(s.Table)
	t.size += stepSize + len(s.Table) + len(s.What) + len(s.Result)
	if t.full = t.size > maxTraceSize; t.full {
		s = Step{Depth: s.Depth, What: "further steps are left out"}
		t.steps = append(t.steps, s)
		return -1
	}
	t.steps = append(t.steps, s)
	return len(t.steps) - 1
}

// table is that of the step that has begun last.
func (t *Trace) table() string {
	if n := len(t.open); n > 0 {
		return t.open[n-1].table
	}
	return ""
}

func (t *Trace) since(now time.Time) time.Duration {
	if t.last.IsZero() {
		return 0
	}
	return now.Sub(t.last)
}

// shorten cuts a text that is too long for a step.
func shorten(text string) string {
	if len(text) <= maxStepText {
		return text
	}
	return strings.ToValidUTF8(text[:maxStepText], "") + "..."
}

type traceKey struct{}

// WithTrace returns a context for what lies below the drivers and does not see
// the Request. Handle.Lookup calls drivers with such a context when the request
// has a trace.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns the trace of a lookup, or nil, which means that none is kept.
// It allocates nothing.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}
