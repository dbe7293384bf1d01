package cidr

import (
	"net/netip"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// explain records which rule has the result. The compiled table does not know
// about lines, so the text is read once more, rule by rule.
func (t *table) explain(r *maptypes.Request, addr netip.Addr) {
	if !addr.IsValid() {
		r.Trace.Result("not found", "the key is no address")
		return
	}
	s := scan{trace: r.Trace, src: t.src, addr: addr}
	if err := t.src.Again(s.line); err != nil {
		r.Trace.Step("the rules cannot be read again: %v", err)
	} else if !s.done {
		r.Trace.Step("no rule matches %s", addr)
	}
}

// scan goes through the rules for one address.
type scan struct {
	trace *maptypes.Trace
	src   *rulefile.Source
	addr  netip.Addr
	open  []bool // of each if: whether it holds
	done  bool
}

// line looks at one logical line. What is no rule has had its warning.
func (s *scan) line(n int, text string) {
	switch {
	case s.done:
	case s.condition(n, text):
	default:
		var b builder
		quiet := *s.src
		quiet.Flags &^= maptypes.FlagSrcRHSIsFile // the result is not of interest
		if b.match(&quiet, text) != nil || !s.reached() || !s.holds(&b) {
			return
		}
		s.done = true
		s.trace.Result("matches", "rule at %s: %s", s.src.Place(n), textfile.TrimSpace(text))
	}
}

// condition deals with if and endif, and reports whether the line is one.
func (s *scan) condition(n int, text string) bool {
	if rest, ok := rulefile.Keyword(text, "endif"); ok {
		if textfile.TrimSpace(rest) == "" && len(s.open) > 0 {
			s.open = s.open[:len(s.open)-1]
		}
		return true
	}
	rest, ok := rulefile.Keyword(text, "if")
	if !ok {
		return false
	}
	var b builder
	if b.condition(n, rest) != nil {
		return true
	}
	holds := b.steps[0].holds(s.addr)
	if s.reached() {
		result := "holds"
		if !holds {
			result = "does not hold: skipped to its endif"
		}
		s.trace.Result(result, "rule at %s: %s", s.src.Place(n), textfile.TrimSpace(text))
	}
	s.open = append(s.open, holds)
	return true
}

// reached reports whether all ifs around a line hold.
func (s *scan) reached() bool {
	for _, holds := range s.open {
		if !holds {
			return false
		}
	}
	return true
}

// holds reports whether the rule that b has taken in matches the address.
func (s *scan) holds(b *builder) bool {
	if len(b.run) > 0 {
		net := b.run[0].net
		return net.Addr().BitLen() == s.addr.BitLen() && net.Contains(s.addr)
	}
	return b.steps[0].holds(s.addr)
}
