// Package explain looks keys up and tells every step of it: what "postmap
// --explain" prints. It also knows which keys Postfix makes of an address.
package explain

import (
	"context"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Outcomes of a lookup.
const (
	Found       = "found"
	NotFound    = "not found"
	Temporary   = "temporary error"
	ConfigError = "configuration error"
)

// Report is what one key, or one address, has come to.
type Report struct {
	// Key is what was asked for.
	Key string `json:"key"`
	// As is one of the Kinds, or empty for a plain lookup.
	As string `json:"as,omitempty"`
	// Notes are decisions that the keys depend on.
	Notes []string `json:"notes,omitempty"`
	// Lookups were made, or left out, in this order.
	Lookups []Lookup `json:"lookups"`
	// Outcome is Found, NotFound, Temporary or ConfigError.
	Outcome string `json:"outcome"`
	// FoundBy is the key, and FoundIn the table, that had the value.
	FoundBy string `json:"found_by,omitempty"`
	FoundIn string `json:"found_in,omitempty"`
	// Value is the result. Bytes that are not UTF-8 are replaced in JSON.
	Value *string `json:"value,omitempty"`
}

// Lookup is one lookup of a key in a table.
type Lookup struct {
	Key     string          `json:"key"`
	Why     string          `json:"why,omitempty"`
	Table   string          `json:"table"`
	Skipped string          `json:"skipped,omitempty"`
	Outcome string          `json:"outcome,omitempty"`
	Steps   []maptypes.Step `json:"steps,omitempty"`
}

// Tables are those of a command line, opened when they are needed.
type Tables struct {
	Specs []string // "type:name"
	Open  func(i int) (*maptypes.Handle, error)
	// Decode, unless it is nil, makes the result of a table's value.
	Decode func([]byte) ([]byte, error)
}

// Plain looks a key up in one table after the other, until it is found, as
// "postmap -q" does. The error is that of opening a table.
func Plain(ctx context.Context, tables Tables, key string) (*Report, error) {
	r := &Report{Key: key, Outcome: NotFound}
	_, err := r.find(ctx, tables, Key{Text: key})
	return r, err
}

// Address looks an address up as Postfix does: key after key, each in one table
// after the other (maps(3)).
func Address(ctx context.Context, tables Tables, kind, address string, plan *Plan) (*Report, error) {
	r := &Report{Key: address, As: kind, Notes: plan.Notes, Outcome: NotFound}
	for _, key := range plan.Keys {
		if done, err := r.find(ctx, tables, key); done || err != nil {
			return r, err
		}
	}
	return r, nil
}

// find looks a key up, and reports whether that was the end: it was found, or a
// table could not answer.
func (r *Report) find(ctx context.Context, tables Tables, key Key) (done bool, err error) {
	for i, spec := range tables.Specs {
		h, err := tables.Open(i)
		if err != nil {
			return true, err
		}
		l := Lookup{Key: key.Text, Why: key.Why, Table: spec}
		if key.Partial && h.Flags()&maptypes.FlagFixed == 0 {
			l.Skipped = "a table of patterns is asked for whole addresses only"
			r.Lookups = append(r.Lookups, l)
			continue
		}
		value := r.lookup(ctx, tables, h, &l)
		r.Lookups = append(r.Lookups, l)
		if l.Outcome == NotFound {
			continue
		}
		if r.Outcome = l.Outcome; r.Outcome == Found {
			text := string(value)
			r.FoundBy, r.FoundIn, r.Value = key.Text, spec, &text
		}
		return true, nil
	}
	return false, nil
}

// lookup asks one table.
func (r *Report) lookup(ctx context.Context, tables Tables, h *maptypes.Handle, l *Lookup) []byte {
	var trace maptypes.Trace
	request := maptypes.Request{Key: []byte(l.Key), Flags: h.Flags(), Trace: &trace}
	value, err := h.Lookup(ctx, &request)
	l.Outcome = outcome(err)
	if err == nil && tables.Decode != nil {
		if value, err = tables.Decode(value); err != nil {
			trace.Result(ConfigError, "decoding the value: %v", err)
			l.Outcome = ConfigError
		}
	}
	if l.Outcome == Found && len(value) == 0 {
		trace.Step("the value is empty, which Postfix's programs do not allow")
		if r.As != "" {
			l.Outcome = ConfigError
		}
	}
	l.Steps = trace.Steps()
	return value
}

// outcome names what a lookup returned.
func outcome(err error) string {
	switch maptypes.Class(err) {
	case nil:
		return Found
	case maptypes.ErrNotFound:
		return NotFound
	case maptypes.ErrConfig:
		return ConfigError
	}
	return Temporary
}
