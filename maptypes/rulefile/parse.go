package rulefile

import (
	"math"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/rulefile/prefilter"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// parser turns the lines of a pattern table into rules.
type parser struct {
	syntax *Syntax
	src    *Source
	stack  Stack
	rules  []rule
	needs  []prefilter.Need // of the first pattern of each rule
}

// expression is a regular expression before it is compiled.
type expression struct {
	text    string
	options uint32
	negate  bool
}

// line adds the rule on one logical line. Text that is no rule is skipped with
// a warning.
func (p *parser) line(n int, text string) {
	text = textfile.TrimSpace(text)
	if text == "" {
		return
	}
	if !isAlnum(text[0]) {
		p.match(n, text)
	} else if rest, ok := Keyword(text, "if"); ok {
		p.condition(n, textfile.TrimSpace(rest))
	} else if rest, ok := Keyword(text, "endif"); ok {
		p.endCondition(n, textfile.TrimSpace(rest))
	} else {
		p.src.Warnf(n, "ignoring unrecognized request")
	}
}

// match adds a rule with a pattern and a result.
func (p *parser) match(n int, text string) {
	first, text, ok := p.expression(n, text)
	if !ok {
		return
	}
	var second *expression
	if p.syntax.Second && strings.HasPrefix(text, "!") {
		var e expression
		if e, text, ok = p.expression(n, text); !ok {
			return
		}
		second = &e
	}
	result, ok := p.result(n, textfile.TrimSpace(text))
	if !ok {
		return
	}
	if result.groups > 0 && !p.groupsAllowed(n, first) {
		return
	}
	r, ok := p.compileMatch(n, first, second, &result)
	if ok {
		p.add(r, first)
	}
}

// add adds a rule with the given first pattern.
func (p *parser) add(r rule, first expression) {
	var need prefilter.Need
	if p.syntax.Portable != nil {
		if text, extended, ok := p.syntax.Portable(first.text, first.options); ok {
			need, r.filtered = prefilter.Analyze(text, extended)
		}
	}
	r.sure = need.Sure
	p.rules = append(p.rules, r)
	p.needs = append(p.needs, need)
}

// result parses the text that a rule gives as result.
func (p *parser) result(n int, text string) (replacement, bool) {
	if text == "" {
		p.src.Warnf(n, "no replacement text: using empty string")
	}
	if p.src.Flags&maptypes.FlagSrcRHSIsFile != 0 {
		content, err := p.src.FileValue(text)
		if err != nil {
			p.src.Warnf(n, "%v: skipping this rule", err)
			return replacement{}, false
		}
		text = content
	}
	r, ok := parseReplacement(text,
		func(message string) { p.src.Env.Warnf("%s", message) },
		func(kind, name string) {
			if kind == "out of range" {
				kind = p.syntax.OutOfRange
			}
			p.src.Warnf(n, "%s replacement index \"%s\"", kind, name)
		})
	if !ok {
		p.src.Warnf(n, "bad replacement syntax: skipping this rule")
	}
	return r, ok
}

// groupsAllowed reports whether the result of a rule may refer to groups.
func (p *parser) groupsAllowed(n int, e expression) bool {
	switch {
	case e.negate:
		p.src.Warnf(n, "$number found in negative match replacement text: skipping this rule")
	case p.src.Flags&maptypes.FlagNoRegsub != 0:
		p.src.Warnf(n, "regular expression substitution is not allowed: skipping this rule")
	default:
		return true
	}
	return false
}

// compileMatch compiles the patterns of a rule.
func (p *parser) compileMatch(n int, first expression, second *expression, result *replacement) (rule, bool) {
	r := rule{line: n, result: *result, negate: first.negate}
	if r.first = p.compile(n, first, result.groups > 0); r.first == nil {
		return rule{}, false
	}
	if result.groups > int64(r.first.Groups()) {
		p.src.Warnf(n, "out of range replacement index \"%d\": skipping this rule", result.groups)
		r.close()
		return rule{}, false
	}
	if second != nil {
		r.negateSecond = second.negate
		if r.second = p.compile(n, *second, false); r.second == nil {
			r.close()
			return rule{}, false
		}
	}
	return r, true
}

// compile returns nil after a warning when the expression is not valid.
func (p *parser) compile(n int, e expression, groups bool) Pattern {
	pattern, err := p.syntax.Compile(e.text, e.options, groups)
	if err != nil {
		p.src.Warnf(n, "%v", err)
		return nil
	}
	return pattern
}

// condition adds an if rule.
func (p *parser) condition(n int, text string) {
	e, rest, ok := p.expression(n, text)
	if !ok {
		return
	}
	if rest = textfile.TrimSpace(rest); rest != "" {
		p.src.Warnf(n, "ignoring extra text after IF statement: \"%s\"", rest)
		p.src.Warnf(n, "do not prepend whitespace to statements between IF and ENDIF")
	}
	pattern := p.compile(n, e, false)
	if pattern == nil {
		return
	}
	p.stack.If(len(p.rules), n)
	p.add(rule{line: n, first: pattern, negate: e.negate, end: math.MaxInt}, e)
}

// endCondition closes the innermost if.
func (p *parser) endCondition(n int, rest string) {
	if p.stack.Empty() {
		p.src.Warnf(n, "ignoring ENDIF without matching IF")
		return
	}
	if rest != "" {
		p.src.Warnf(n, "ignoring extra text after ENDIF")
	}
	p.rules[p.stack.EndIf()].end = len(p.rules)
}

// expression splits off one delimited pattern with its options.
func (p *parser) expression(n int, text string) (e expression, rest string, ok bool) {
	text, e.negate = Negation(text)
	if text == "" {
		p.src.Warnf(n, "no regexp: skipping this rule")
		return e, "", false
	}
	delimiter, text := text[0], text[1:]
	end := p.delimiter(text, delimiter)
	if end < 0 {
		p.src.Warnf(n, "no closing regexp delimiter \"%c\": %s", delimiter, p.syntax.Unclosed)
		return e, "", false
	}
	e.text = text[:end]
	e.options, rest, ok = p.options(n, text[end+1:])
	return e, rest, ok
}

// delimiter returns where the closing delimiter is, or -1. A backslash takes
// away the meaning of the character after it.
func (p *parser) delimiter(text string, delimiter byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
		case text[i] == '\\':
			if p.syntax.LastBackslash {
				return i
			}
		case text[i] == delimiter:
			return i
		}
	}
	return -1
}

// options parses the letters after the closing delimiter.
func (p *parser) options(n int, text string) (options uint32, rest string, ok bool) {
	options = p.syntax.Defaults
	for i := 0; i < len(text); i++ {
		c := text[i]
		if textfile.IsSpace(c) || p.syntax.Second && c == '!' {
			return options, text[i:], true
		}
		toggle, known := p.syntax.Options[c]
		switch {
		case known:
			options ^= toggle
		case strings.IndexByte(p.syntax.Obsolete, c) >= 0:
			p.src.Warnf(n, "ignoring obsolete regexp option \"%c\"", c)
		default:
			p.src.Warnf(n, "unknown regexp option \"%s\": skipping this rule", text[i:i+1])
			return 0, "", false
		}
	}
	return options, "", true
}
