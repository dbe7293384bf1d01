package cidr

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// member is an ordinary rule of a run.
type member struct {
	net   netip.Prefix
	order int
	value uint32
}

// addMatch adds a rule with a result.
func (b *builder) addMatch(net netip.Prefix, negate bool, text string) {
	value := b.values.add(text)
	if !negate {
		b.run = append(b.run, member{net: net, order: len(b.run), value: value})
		return
	}
	b.endRun()
	b.steps = append(b.steps, step{net: net, negate: true, value: value})
}

// addIf opens a block.
func (b *builder) addIf(line int, net netip.Prefix, negate bool) {
	b.endRun()
	b.stack.If(len(b.steps), line)
	b.steps = append(b.steps, step{net: net, negate: negate, end: math.MaxInt})
}

// addEndIf closes the innermost block.
func (b *builder) addEndIf() {
	b.endRun()
	b.steps[b.stack.EndIf()].end = len(b.steps)
}

// table returns the finished table.
func (b *builder) table() *table {
	b.endRun()
	return &table{steps: b.steps, values: b.values}
}

// endRun turns the collected rules into a step.
//
// The trie finds the longest network that contains an address, while the first
// rule of the file has to win. All networks that contain an address lie inside
// each other. So the networks go in from wide to narrow, and one is left out
// when a wider one comes earlier in the file: then the longest network that is
// still there is the first rule.
func (b *builder) endRun() {
	if len(b.run) == 0 {
		return
	}
	slices.SortFunc(b.run, func(x, y member) int {
		return cmp.Or(cmp.Compare(x.net.Bits(), y.net.Bits()), cmp.Compare(x.order, y.order))
	})
	var first bart.Table[int]
	run := new(bart.Table[uint32])
	for _, m := range b.run {
		if wider, ok := first.LookupPrefix(m.net); ok && wider < m.order {
			continue
		}
		first.Insert(m.net, m.order)
		run.Insert(m.net, m.value)
	}
	b.steps = append(b.steps, step{run: run})
	b.run = nil
}
