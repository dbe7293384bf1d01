package rulefile

import (
	"math"
	"strconv"
	"strings"
)

// replacement is the result of a rule: text with references to the parts of the
// key that the groups of the pattern matched ($1, ${1}, $(1); $$ is a dollar
// sign).
type replacement struct {
	literal []byte // the result when there are no references
	pieces  []piece
	groups  int64 // the highest group referred to, 0 when there is none
}

// piece is either literal text or a reference to a group.
type piece struct {
	text  string
	group int
}

// appendTo appends the result for a key. offsets holds the start and end of each
// group; a group that matched nothing starts at -1 and leaves nothing behind.
func (r *replacement) appendTo(dst, key []byte, offsets []int32) []byte {
	for _, p := range r.pieces {
		if p.group == 0 {
			dst = append(dst, p.text...)
			continue
		}
		from, to := offsets[2*p.group], offsets[2*p.group+1]
		if 0 <= from && from < to {
			dst = append(dst, key[from:to]...)
		}
	}
	return dst
}

// parseReplacement parses the text of a result. warn receives what is wrong with
// the text, badIndex what is wrong with one reference; false means that the text
// cannot be used.
func parseReplacement(text string, warn func(string), badIndex func(kind, name string)) (replacement, bool) {
	p := replacementParser{text: text, warn: warn, badIndex: badIndex, ok: true}
	p.parse()
	if p.ok && p.r.groups == 0 {
		for _, piece := range p.r.pieces {
			p.r.literal = append(p.r.literal, piece.text...)
		}
		p.r.pieces = nil
	}
	return p.r, p.ok
}

type replacementParser struct {
	text     string
	warn     func(string)
	badIndex func(kind, name string)
	r        replacement
	lit      strings.Builder
	ok       bool
}

func (p *replacementParser) parse() {
	for i := 0; i < len(p.text); {
		switch {
		case p.text[i] != '$':
			p.lit.WriteByte(p.text[i])
			i++
			continue
		case strings.HasPrefix(p.text[i:], "$$"):
			p.lit.WriteByte('$')
			i += 2
			continue
		}
		p.flush()
		name, next, closed := reference(p.text, i+1)
		if !closed {
			p.fail("truncated macro reference: \"" + p.text + "\"")
			return
		}
		if bracketed := next > i+1+len(name); bracketed && !p.ok {
			// Postfix gives up at a bracketed reference that follows a bad one.
			return
		}
		if name == "" {
			p.fail("empty macro name: \"" + p.text + "\"")
			return
		}
		p.reference(name)
		i = next
	}
	p.flush()
}

// flush ends a run of literal text.
func (p *replacementParser) flush() {
	if p.lit.Len() > 0 {
		p.r.pieces = append(p.r.pieces, piece{text: p.lit.String()})
		p.lit.Reset()
	}
}

func (p *replacementParser) fail(message string) {
	p.warn(message)
	p.ok = false
}

// reference returns the name that follows the dollar sign before from: "1" of
// $1, ${1} or $(1), and where the text goes on. Brackets of the same kind nest.
func reference(text string, from int) (name string, next int, closed bool) {
	if from == len(text) || text[from] != '{' && text[from] != '(' {
		for next = from; next < len(text) && (isAlnum(text[next]) || text[next] == '_'); {
			next++
		}
		return text[from:next], next, true
	}
	open, shut := text[from], byte('}')
	if open == '(' {
		shut = ')'
	}
	level := 1
	for next = from + 1; next < len(text); {
		switch text[next] {
		case open:
			level++
		case shut:
			level--
		}
		next++
		if level == 0 {
			return text[from+1 : next-1], next, true
		}
	}
	return "", next, false
}

// reference adds a reference to a group.
func (p *replacementParser) reference(name string) {
	if !isDigits(name) {
		p.badIndex("non-numeric", name)
		p.ok = false
		return
	}
	group := index(name)
	if group == 0 {
		p.badIndex("out of range", name)
		p.ok = false
		return
	}
	p.r.pieces = append(p.r.pieces, piece{group: int(group)})
	p.r.groups = max(p.r.groups, group)
}

// index returns the value of a decimal number; numbers that no pattern has
// groups for are all the same.
func index(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return math.MaxInt32
	}
	return n
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return s != ""
}
