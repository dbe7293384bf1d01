package rulefile

import (
	"context"
	"sync"

	"github.com/proxymapd/proxymapd/maptypes"
)

// Table is a table whose patterns are regular expressions.
type Table struct {
	src     Source
	rules   []rule
	offsets sync.Pool // of *[]int32, room for the groups of any rule
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
	result       replacement
}

// Open reads the pattern table called name.
func Open(syntax *Syntax, env *maptypes.Env, name string, mode maptypes.Mode, flags maptypes.Flags) (*maptypes.Opened, error) {
	if err := ErrReadOnly(syntax.Type, name, mode); err != nil {
		return nil, err
	}
	p := parser{syntax: syntax, src: &Source{Env: env, Type: syntax.Type, Name: name, Flags: flags}}
	err := p.src.Each(p.line)
	t := &Table{src: *p.src, rules: p.rules}
	if err != nil {
		t.Close()
		return nil, err
	}
	p.stack.Finish(p.src)
	t.prepare()
	return &maptypes.Opened{
		Table: t,
		Flags: flags | maptypes.FlagPattern,
		Fold:  maptypes.FlagFoldMul,
		Watch: t.src.Watch,
	}, nil
}

// prepare makes room for the offsets of the rule with the highest reference.
func (t *Table) prepare() {
	var groups int64
	for i := range t.rules {
		groups = max(groups, t.rules[i].result.groups)
	}
	t.offsets.New = func() any {
		room := make([]int32, 2*(groups+1))
		return &room
	}
}

// Lookup implements maptypes.Table. A rule whose pattern cannot be matched to
// the end is skipped with a warning, whether it is negated or not.
func (t *Table) Lookup(ctx context.Context, r *maptypes.Request) ([]byte, error) {
	for i := 0; i < len(t.rules); i++ {
		rule := &t.rules[i]
		if rule.result.groups > 0 {
			hit, err := t.substitute(ctx, rule, r)
			if err != nil {
				return nil, err
			}
			if hit {
				return r.Buf, nil
			}
			continue
		}
		hit, err := t.holds(ctx, rule, r.Key, nil)
		if r.Trace != nil && err == nil {
			t.explain(r, rule, hit, nil)
		}
		switch {
		case err != nil:
			return nil, err
		case rule.end == 0 && hit:
			return rule.result.literal, nil
		case rule.end > 0 && !hit:
			i = min(rule.end, len(t.rules)) - 1
		}
	}
	if r.Trace != nil {
		r.Trace.Step("no rule of %d has a result for the key", len(t.rules))
	}
	return nil, maptypes.ErrNotFound
}

// substitute tries a rule whose result refers to groups, and leaves the result
// in r.Buf.
func (t *Table) substitute(ctx context.Context, rule *rule, r *maptypes.Request) (bool, error) {
	room := t.offsets.Get().(*[]int32)
	defer t.offsets.Put(room)
	offsets := (*room)[:2*(rule.result.groups+1)]
	hit, err := t.holds(ctx, rule, r.Key, offsets)
	if hit {
		r.Buf = rule.result.appendTo(r.Buf[:0], r.Key, offsets)
	}
	if r.Trace != nil && err == nil {
		t.explain(r, rule, hit, offsets)
	}
	return hit, err
}

// holds reports whether both patterns of a rule agree with the key.
func (t *Table) holds(ctx context.Context, rule *rule, key []byte, offsets []int32) (bool, error) {
	hit, err := t.match(ctx, rule.line, rule.first, rule.negate, key, offsets)
	if hit && rule.second != nil {
		return t.match(ctx, rule.line, rule.second, rule.negateSecond, key, nil)
	}
	return hit, err
}

// match matches one pattern. The only errors are those of ctx.
func (t *Table) match(ctx context.Context, line int, p Pattern, negate bool, key []byte, offsets []int32) (bool, error) {
	if ctx.Err() == nil {
		hit, err := p.Match(ctx, key, offsets)
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
