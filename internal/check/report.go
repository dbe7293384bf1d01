package check

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The states of a table.
const (
	stateOK        = "ok"
	stateProblem   = "problem"
	stateUnchecked = "unchecked"
)

// Report is the outcome of a check.
type Report struct {
	Tables        []*Row      `json:"tables"`
	Allowlists    []Allowlist `json:"allowlists"`
	Configuration []Finding   `json:"configuration"` // about main.cf and master.cf themselves
	Sum           Sum         `json:"sum"`
}

// Row is the outcome for one table.
type Row struct {
	Table    string    `json:"table"`   // type:name as it is written, or the path of a list
	State    string    `json:"state"`   // ok, problem, or unchecked
	UsedBy   []string  `json:"used_by"` // parameters
	Service  string    `json:"service,omitempty"`
	User     string    `json:"user"` // with whose rights it was tried
	Findings []Finding `json:"findings"`
	Sample   *Sample   `json:"sample,omitempty"`

	spec string // as it is written, over several lines perhaps
}

// Sum counts tables and more.
type Sum struct {
	Tables        int `json:"tables"`
	OK            int `json:"ok"`
	Problems      int `json:"problems"`
	Unchecked     int `json:"unchecked"`
	Configuration int `json:"configuration"`
	Unused        int `json:"unused"` // approved and not used; this is no problem
}

// find adds a finding.
func (row *Row) find(f Finding) { row.Findings = append(row.Findings, f) }

// blame notes that a table cannot be better than one that it is made of. If it is nothing but its members, it need not
// repeat what is said of them.
func (row *Row) blame(member string) {
	switch typ, _, _ := strings.Cut(stripProxy(row.spec), ":"); typ {
	case "unionmap", "pipemap", "debug":
		row.Findings = slices.DeleteFunc(row.Findings, func(f Finding) bool { return f.Kind != kindMember && f.Kind != kindApproval })
	}
	f := newFinding(kindMember, "see "+member)
	if !slices.Contains(row.Findings, f) {
		row.find(f)
	}
	row.Sample = nil
}

// finish sets the states and counts.
func (r *Report) finish() {
	if r.Tables == nil {
		r.Tables = []*Row{}
	}
	if r.Configuration == nil {
		r.Configuration = []Finding{}
	}
	r.Sum = Sum{Tables: len(r.Tables), Configuration: len(r.Configuration)}
	for _, row := range r.Tables {
		row.State = row.state()
		switch row.State {
		case stateOK:
			r.Sum.OK++
		case stateProblem:
			r.Sum.Problems++
		default:
			r.Sum.Unchecked++
		}
	}
	for _, list := range r.Allowlists {
		r.Sum.Unused += len(list.Unused)
	}
}

func (row *Row) state() string {
	state := stateOK
	for _, f := range row.Findings {
		if f.Kind != kindUnchecked {
			return stateProblem
		}
		state = stateUnchecked
	}
	return state
}

// status returns the exit status.
func (r *Report) status() int {
	switch {
	case r.Sum.Problems+r.Sum.Configuration > 0:
		return exitProblems
	case r.Sum.Unchecked > 0:
		return exitUnchecked
	default:
		return exitClean
	}
}

// json prints the report as one JSON object.
func (r *Report) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// text prints the report for people: a line for each table, what else there is to say, and the sum.
func (r *Report) text(out io.Writer) error {
	var b strings.Builder
	for _, row := range r.Tables {
		b.WriteString(row.line() + "\n")
	}
	for _, f := range r.Configuration {
		b.WriteString("configuration: problem: " + f.Text + "\n")
	}
	for _, list := range r.Allowlists {
		for _, table := range list.Lacks {
			fmt.Fprintf(&b, "%s: problem: lacks %s\n", list.Parameter, table)
		}
		for _, table := range list.Unused {
			fmt.Fprintf(&b, "%s: note: approves %s, which nothing uses\n", list.Parameter, table)
		}
	}
	b.WriteString(r.Sum.line() + "\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// line is the line of a table.
func (row *Row) line() string {
	line := row.Table + ": " + row.State
	if len(row.UsedBy) > 0 {
		line += " (" + strings.Join(row.UsedBy, ", ") + ")"
	}
	if len(row.Findings) > 0 {
		var texts []string
		for _, f := range row.Findings {
			texts = append(texts, f.Text)
		}
		return line + ": " + strings.Join(texts, "; ")
	}
	if row.Sample != nil {
		line += ": " + row.Sample.String()
	}
	return line
}

// String shows a sample.
func (s *Sample) String() string {
	switch {
	case !s.Found:
		return fmt.Sprintf("%q: not found", s.Key)
	case s.Hidden:
		return fmt.Sprintf("%q = (not shown)", s.Key)
	default:
		return fmt.Sprintf("%q = %q", s.Key, s.Value)
	}
}

// line is the last line of the report.
func (s *Sum) line() string {
	line := fmt.Sprintf("%d tables: %d ok, %d with problems", s.Tables, s.OK, s.Problems)
	if s.Unchecked > 0 {
		line += fmt.Sprintf(", %d could not be checked", s.Unchecked)
	}
	if s.Configuration > 0 {
		line += fmt.Sprintf("; %d problems of the configuration", s.Configuration)
	}
	if s.Unused > 0 {
		line += fmt.Sprintf("; %d approved and not used", s.Unused)
	}
	return line
}
