package rulefile

import (
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Again is Each for a trace, once the table is open: it reads the text anew, and
// logs nothing.
func (s *Source) Again(do func(line int, text string)) error {
	env := *s.Env
	env.Warnf = func(string, ...any) {}
	again := &Source{Env: &env, Type: s.Type, Name: s.Name}
	return again.Each(do)
}

// Place says where a line is: "/file:12", or "line 12" of an inline table.
func (s *Source) Place(line int) string {
	if isInline(s.Name) {
		return fmt.Sprintf("line %d", line)
	}
	return fmt.Sprintf("%s:%d", s.Name, line)
}

// explain records a rule that decided something, with its text if that can still
// be read.
func (t *Table) explain(r *maptypes.Request, rule *rule, hit bool, offsets []int32) {
	if !hit && rule.end == 0 {
		return // most rules of a table do not match, and say nothing
	}
	result := "matches"
	switch {
	case rule.end > 0 && hit:
		result = "holds"
	case rule.end > 0:
		result = "does not hold: skipped to its endif"
	}
	text := ""
	// A file that has become unreadable leaves the text away.
	_ = t.src.Again(func(line int, found string) {
		if line == rule.line {
			text = textfile.TrimSpace(found)
		}
	})
	if text != "" {
		text = ": " + text
	}
	r.Trace.Result(result+captures(r.Key, offsets), "rule at %s%s", t.src.Place(rule.line), text)
}

// captures lists what the groups of a pattern have matched.
func captures(key []byte, offsets []int32) string {
	var list []string
	for group := 1; 2*group+1 < len(offsets); group++ {
		if from, to := offsets[2*group], offsets[2*group+1]; 0 <= from && from <= to {
			list = append(list, fmt.Sprintf("$%d=%s", group, maptypes.Quote(key[from:to])))
		}
	}
	if list == nil {
		return ""
	}
	return ", " + strings.Join(list, " ")
}
