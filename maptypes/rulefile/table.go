package rulefile

import (
	"context"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Table is a table whose patterns are regular expressions.
type Table struct {
	src    Source
	rules  []rule
	filter filter
	first  func(context.Context, []Pattern, []byte) (int, bool, error) // Syntax.First
	unused sync.Pool                                                   // of *scratch
}

var _ maptypes.Table = (*Table)(nil)

// rule is an if (which has an end) or a pattern with a result.
type rule struct {
	line         int
	end          int // of an if: the index of the rule after its endif
	first        Pattern
	second       Pattern // must hold as well; nil in most rules
	negate       bool
	negateSecond bool
	filtered     bool // the filter knows what the first pattern needs
	sure         int  // see prefilter.Need
	result       replacement
}

// scratch is what one lookup needs.
type scratch struct {
	found   []uint64  // what the filter found
	offsets []int32   // room for the groups of any rule
	few     [20]int32 // mostly that is enough for offsets
	memory  Memory    // of the engine; nil if it has none
	batch   batch
}

// Open reads the pattern table called name.
func Open(syntax *Syntax, env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if err := ErrReadOnly(syntax.Type, name, mode); err != nil {
		return nil, err
	}
	p := parser{syntax: syntax, src: &Source{Env: env, Type: syntax.Type, Name: name, Flags: flags}}
	err := p.src.Each(p.line)
	t := &Table{src: *p.src, rules: p.rules, first: syntax.First}
	if err != nil {
		t.Close()
		return nil, err
	}
	p.stack.Finish(p.src)
	t.filter = newFilter(t.rules, p.needs)
	t.prepare(syntax.NewMemory)
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagPattern,
		Fold:  maptypes.FlagFoldMul,
		Watch: t.src.Watch,
	}, nil
}

// prepare says what a lookup needs: room for the offsets of the rule with the
// highest reference among it.
func (t *Table) prepare(newMemory func() Memory) {
	var groups int64
	for i := range t.rules {
		groups = max(groups, t.rules[i].result.groups)
	}
	t.unused.New = func() any {
		s := &scratch{found: make([]uint64, t.filter.words())}
		if s.offsets = s.few[:]; 2*(groups+1) > int64(len(s.few)) {
			s.offsets = make([]int32, 2*(groups+1))
		}
		if newMemory != nil {
			s.memory = newMemory()
		}
		return s
	}
}

// Lookup implements maptypes.Table. A rule whose pattern cannot be matched to
// the end is skipped with a warning, whether it is negated or not.
func (t *Table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	s := t.unused.Get().(*scratch)
	defer t.finish(s)
	t.filter.scan(r.Key, s.found)
	for i := t.filter.next(s.found, 0); i < len(t.rules); i = t.filter.next(s.found, i+1) {
		if t.first != nil && r.Trace == nil {
			if i = t.skip(ctx, s, r.Key, i); i >= len(t.rules) {
				break
			}
		}
		rule := &t.rules[i]
		offsets := s.offsets[:2*(rule.result.groups+1)]
		if rule.result.groups == 0 {
			offsets = nil
		}
		hit, err := t.holds(ctx, rule, rule.possible(s.found, i, len(r.Key)), s.memory, r.Key, offsets)
		if err != nil {
			return nil, err
		}
		if r.Trace != nil {
			t.explain(r, rule, hit, offsets)
		}
		switch {
		case rule.end > 0 && !hit:
			i = min(rule.end, len(t.rules)) - 1
		case rule.end == 0 && hit && offsets == nil:
			return rule.result.literal, nil
		case rule.end == 0 && hit:
			r.Buf = rule.result.appendTo(r.Buf[:0], r.Key, offsets)
			return r.Buf, nil
		}
	}
	if r.Trace != nil {
		r.Trace.Step("no rule of %d has a result for the key", len(t.rules))
	}
	return nil, maptypes.ErrNotFound
}

// finish keeps s for another lookup.
func (t *Table) finish(s *scratch) {
	if s.memory != nil {
		s.memory.Release()
	}
	t.unused.Put(s)
}

// holds reports whether both patterns of a rule agree with the key. The engine
// is not asked about a first pattern that cannot match.
func (t *Table) holds(ctx context.Context, rule *rule, possible bool, memory Memory, key []byte, offsets []int32) (hit bool, err error) {
	hit = rule.negate
	if possible {
		hit, err = t.match(ctx, rule.line, rule.first, rule.negate, memory, key, offsets)
	}
	if hit && rule.second != nil {
		return t.match(ctx, rule.line, rule.second, rule.negateSecond, memory, key, nil)
	}
	return hit, err
}

// match matches one pattern. The only errors are those of ctx.
func (t *Table) match(ctx context.Context, line int, p Pattern, negate bool, memory Memory, key []byte, offsets []int32) (bool, error) {
	if ctx.Err() == nil {
		hit, err := p.Match(ctx, memory, key, offsets)
		if err == nil {
			return hit != negate, nil
		}
		if ctx.Err() == nil {
			t.src.Warnf(line, "%v", err)
			if trace := maptypes.TraceOf(ctx); trace != nil {
				trace.Result("skipped", "rule at %s: %v", t.src.Place(line), err)
			}
			return false, nil
		}
	}
	return false, maptypes.Retryf("%s map %s, line %d: matching was given up: %w", t.src.Type, t.src.Name, line, ctx.Err())
}

// Close implements maptypes.Table.
func (t *Table) Close() error {
	for i := range t.rules {
		t.rules[i].close()
	}
	return nil
}

func (r *rule) close() {
	if r.first != nil {
		r.first.Close()
	}
	if r.second != nil {
		r.second.Close()
	}
}
