package postmap

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/explain"
	"github.com/proxymapd/proxymapd/maptypes"
)

// checkExplain looks at --explain and --as.
func (opt *options) checkExplain() error {
	switch {
	case opt.as != "" && !opt.explain:
		return errors.New("option --as requires --explain")
	case opt.explain && opt.action != query:
		return errors.New("option --explain requires -q")
	case opt.explain && (opt.keysFromMessage() || opt.mimeKeys):
		return errors.New("specify --explain without -b -h or -m")
	case opt.as != "" && !slices.Contains(explain.Kinds, opt.as):
		return errors.New("specify one of " + strings.Join(explain.Kinds, ", ") + " with --as")
	}
	return nil
}

// explainKeys is -q with --explain: it tells what was done to look keys up, and
// reports whether one was found.
func (p *program) explainKeys(in io.Reader) (found bool, err error) {
	tables, done := p.explainTables()
	defer done()
	if p.key != "-" {
		return p.explainKey(tables, p.key)
	}
	err = eachLine(in, func(line []byte) error {
		one, err := p.explainKey(tables, string(cString(line)))
		found = found || one
		return err
	})
	return found, err
}

// explainKey explains one key.
func (p *program) explainKey(tables explain.Tables, key string) (found bool, err error) {
	report, err := p.report(tables, key)
	if err != nil {
		return false, err
	}
	write := report.WriteText
	if p.json {
		write = report.WriteJSON
	}
	return report.Outcome == explain.Found, write(p.out.w)
}

// report looks a key up, or an address with --as.
func (p *program) report(tables explain.Tables, key string) (*explain.Report, error) {
	if p.as == "" {
		return explain.Plain(p.ctx, tables, key)
	}
	plan, err := p.plan(key)
	if err != nil {
		return nil, err
	}
	return explain.Address(p.ctx, tables, p.as, key, plan)
}

// plan says which keys are looked up for an address.
func (p *program) plan(address string) (*explain.Plan, error) {
	return explain.NewPlan(p.as, address, explain.Settings{Param: p.env.Param, Env: p.env})
}

// explainTables returns the tables of the command line, opened when their turn
// comes as Postfix opens them for the purpose, and what closes them.
func (p *program) explainTables() (tables explain.Tables, done func()) {
	flags := p.flags | maptypes.FlagLock
	if p.as == explain.Transport {
		flags |= maptypes.FlagNoRegsub
	}
	open := make([]*table, len(p.tables))
	for _, operand := range p.tables {
		typ, name := p.split(operand)
		tables.Specs = append(tables.Specs, typ+":"+name)
	}
	tables.Open = func(i int) (*maptypes.Handle, error) {
		if open[i] == nil {
			t, err := p.open(p.tables[i], maptypes.ReadOnly, flags)
			if err != nil {
				return nil, err
			}
			open[i] = t
		}
		return open[i].Handle, nil
	}
	if p.flags&maptypes.FlagSrcRHSIsFile != 0 {
		tables.Decode = decodeFile
	}
	return tables, func() {
		for _, t := range open {
			if t != nil {
				t.Close()
			}
		}
	}
}
