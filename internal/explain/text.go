package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proxymapd/proxymapd/maptypes"
)

// timeColumn is where times stand, in characters; longer lines push theirs to
// the right.
const timeColumn = 100

// WriteText writes a report for people: one step a line, indented by what it is
// a part of, with its time.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if r.As != "" {
		fmt.Fprintf(&b, "%q as %s(5)\n", r.Key, r.As)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", printable(note))
	}
	for i := range r.Lookups {
		if l := &r.Lookups[i]; l.Why != "" && (i == 0 || r.Lookups[i-1].Key != l.Key) {
			fmt.Fprintf(&b, "key %q (%s)\n", l.Key, l.Why)
		}
		r.Lookups[i].write(&b)
	}
	switch {
	case r.Outcome != Found:
		fmt.Fprintf(&b, "Result: %s\n", r.Outcome)
	case r.As != "":
		fmt.Fprintf(&b, "Found by: key %q in %s\nResult: %q\n", r.FoundBy, printable(r.FoundIn), *r.Value)
	default:
		fmt.Fprintf(&b, "Found in: %s\nResult: %q\n", printable(r.FoundIn), *r.Value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes a report as one line.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// write writes the steps of a lookup.
func (l *Lookup) write(b *strings.Builder) {
	indent := ""
	if l.Why != "" { // there is a line about the key
		indent = "  "
	}
	if l.Skipped != "" {
		fmt.Fprintf(b, "%s%s: not asked: %s\n", indent, printable(l.Table), l.Skipped)
	}
	var tables []string // that of the step at each depth
	for _, step := range l.Steps {
		around := ""
		for len(tables) <= step.Depth {
			tables = append(tables, "")
		}
		if step.Depth > 0 {
			around = tables[step.Depth-1]
		}
		tables[step.Depth] = step.Table
		writeStep(b, indent, &step, around)
	}
}

// writeStep writes one step; around is the table of the step that it is a part
// of.
func writeStep(b *strings.Builder, indent string, s *maptypes.Step, around string) {
	line := indent + strings.Repeat("  ", s.Depth)
	if s.Table != "" && s.Table != around {
		line += s.Table + ": "
	}
	line += s.What
	if s.Result != "" {
		line += " -> " + s.Result
	}
	line = printable(line)
	pad := max(2, timeColumn-utf8.RuneCountInString(line))
	fmt.Fprintf(b, "%s%*s%9.3f ms\n", line, pad, "", float64(s.Elapsed)/float64(time.Millisecond))
}

func printable(text string) string { return maptypes.Printable([]byte(text)) }
