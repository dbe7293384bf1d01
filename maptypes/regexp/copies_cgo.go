//go:build cgo

package regexp

import (
	"context"
	"regexp"
	"sync/atomic"

	"github.com/proxymapd/proxymapd/maptypes/rulefile"
)

// maxCopies is how many goroutines match one expression at the same time. An
// expression that takes for ever on some key thus holds up those who need the
// same expression only when this many such keys are on their way.
const maxCopies = 4

// pattern is an expression with as many compiled copies as goroutines have
// needed at one time; mostly that is one.
type pattern struct {
	expr    string
	options uint32
	capture bool
	count   int  // groups
	quick   bool // takes no more time than the length of the key asks for

	idle  [maxCopies]atomic.Pointer[libcRegex]
	made  atomic.Int32
	freed chan struct{} // a token: a copy has become idle
}

var _ rulefile.Pattern = (*pattern)(nil)

// reference finds back references, or what may be one.
var reference = regexp.MustCompile(`\\[1-9]`)

// newMemory is not there: regexec(3) takes no memory from its caller.
var newMemory func() rulefile.Memory

// compile makes a pattern for the C library.
func compile(expr string, options uint32, groups bool) (rulefile.Pattern, error) {
	re, err := newLibcRegex(expr, options, groups)
	if err != nil {
		return nil, err
	}
	p := &pattern{
		expr: expr, options: options, capture: groups, count: re.groups(),
		quick: !reference.MatchString(expr),
		freed: make(chan struct{}, 1),
	}
	p.made.Store(1)
	p.idle[0].Store(re)
	return p, nil
}

// Match implements rulefile.Pattern. regexec(3) itself cannot be interrupted.
func (p *pattern) Match(ctx context.Context, _ rulefile.Memory, key []byte, offsets []int32) (bool, error) {
	re, err := p.take(ctx)
	if err != nil {
		return false, err
	}
	hit, err := re.match(key, offsets)
	p.put(re)
	return hit, err
}

// take returns a copy that nobody else uses.
func (p *pattern) take(ctx context.Context) (*libcRegex, error) {
	for waited := false; ; waited = true {
		for i := range p.idle {
			if re := p.idle[i].Swap(nil); re != nil {
				if waited {
					p.signal() // there may be another one, for somebody else
				}
				return re, nil
			}
		}
		if p.made.Add(1) <= maxCopies {
			re, err := newLibcRegex(p.expr, p.options, p.capture)
			if err != nil {
				p.made.Add(-1)
				p.signal()
			}
			return re, err
		}
		p.made.Add(-1)
		select {
		case <-p.freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// put gives a copy back.
func (p *pattern) put(re *libcRegex) {
	for i := range p.idle {
		if p.idle[i].CompareAndSwap(nil, re) {
			break
		}
	}
	p.signal()
}

// signal wakes one goroutine that waits for a copy.
func (p *pattern) signal() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// Groups implements rulefile.Pattern.
func (p *pattern) Groups() int { return p.count }

// Close implements rulefile.Pattern.
func (p *pattern) Close() {
	for i := range p.idle {
		if re := p.idle[i].Swap(nil); re != nil {
			re.free()
		}
	}
}
