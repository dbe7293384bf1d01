package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of one expansion. Postfix has only the first one; the others keep a self-referencing comparison from
// overflowing the stack, and a few lines of nested doubling from eating all memory.
const (
	maxExpandLevel = 100      // nested $name references
	maxExpandDepth = 1000     // the same, counted through comparison operands too
	maxExpandWork  = 16 << 20 // bytes that were looked at, and as many in the result
)

// ErrMacro is wrapped by the error of an expansion that failed; the text after it says why.
var ErrMacro = errors.New("macro processing error")

// Expander replaces $name references in parameter values as postconf(5) describes:
//
//	$name ${name} $(name)                        the value, itself expanded; empty when there is none
//	${name?text} ${name?{text}}                  text if the value is not empty
//	${name:text} ${name:{text}}                  text if the value is empty
//	${name?{text1}:{text2}}                      one or the other
//	${{text1} == {text2} ? {text3} : {text4}}    also != < <= > >=, numerically if both sides are digits only
//	${{level1} <level {level2} ? {a} : {b}}      the same six operators, comparing compatibility levels
//	${domain_to_ascii{text}} ${domain_to_utf8{text}}
//	$$                                           a dollar sign
//
// Names consist of ASCII letters, digits and underscores.
type Expander struct {
	// Lookup returns the unexpanded value of a parameter.
	Lookup func(name string) (value string, ok bool)
	// Raw, if not nil, tells which parameters have values that are not expanded themselves, as postconf(1) of Postfix
	// 3.11 has it; the daemons expand what they refer to in any case.
	Raw func(name string) bool
	// Warn, if not nil, receives each syntax error, in Postfix's wording.
	Warn func(message string)
}

// Expand returns the expansion of text, or an error that wraps ErrMacro and contains the first syntax error.
func (x *Expander) Expand(text string) (string, error) {
	e := newExpansion(x, false)
	e.parse(text)
	return e.result(text)
}

// Scan calls Lookup for each parameter that text refers to, in every branch of its conditionals. Values are not
// followed.
func (x *Expander) Scan(text string) error {
	e := newExpansion(x, true)
	e.parse(text)
	_, err := e.result(text)
	return err
}

// expansion is the state of one Expand or Scan. A comparison operand or function argument is expanded by a child with
// a level count of its own.
type expansion struct {
	x      *Expander
	scan   bool
	out    strings.Builder
	failed bool
	level  int
	shared *expandBudget
}

// expandBudget is what an expansion shares with its children.
type expandBudget struct {
	depth, work int
	messages    []string
}

func newExpansion(x *Expander, scan bool) *expansion {
	return &expansion{x: x, scan: scan, shared: &expandBudget{}}
}

func (e *expansion) child() *expansion {
	return &expansion{x: e.x, scan: e.scan, shared: e.shared}
}

func (e *expansion) result(text string) (string, error) {
	if !e.failed {
		return e.out.String(), nil
	}
	first := "in " + strconv.Quote(text)
	if len(e.shared.messages) > 0 {
		first = e.shared.messages[0]
	}
	return "", fmt.Errorf("%w: %s", ErrMacro, first)
}

// warn reports a problem that makes the expansion fail.
func (e *expansion) warn(format string, args ...any) {
	e.failed = true
	message := fmt.Sprintf(format, args...)
	if len(e.shared.messages) < 10 {
		e.shared.messages = append(e.shared.messages, message)
	}
	if e.x.Warn != nil {
		e.x.Warn(message)
	}
}

// parse expands one string: it splits it into literal text and references.
func (e *expansion) parse(text string) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			e.literal(literal.String())
			literal.Reset()
		}
	}
	e.shared.work += len(text)
	for rest := text; rest != ""; {
		if e.shared.work > maxExpandWork && e.failed {
			return // no use in looking for more errors
		}
		if rest[0] != '$' {
			n := strings.IndexByte(rest, '$')
			if n < 0 {
				n = len(rest)
			}
			literal.WriteString(rest[:n])
			rest = rest[n:]
			continue
		}
		if strings.HasPrefix(rest, "$$") {
			literal.WriteByte('$')
			rest = rest[2:]
			continue
		}
		flush()
		reference, after, ok := cutReference(rest[1:])
		if !ok {
			e.warn("truncated macro reference: \"%s\"", text)
			return
		}
		if e.failed && len(reference) < len(rest)-len(after)-1 {
			return // Postfix ends here, but goes on after a plain $name
		}
		if reference == "" {
			e.warn("empty macro name: \"%s\"", text)
			return
		}
		e.reference(reference)
		rest = after
	}
	if !e.failed {
		flush()
	}
}

// cutReference cuts the text after a dollar sign behind the name or the closing parenthesis.
func cutReference(text string) (reference, after string, ok bool) {
	if text == "" || (text[0] != '{' && text[0] != '(') {
		n := 0
		for n < len(text) && isNameByte(text[n]) {
			n++
		}
		return text[:n], text[n:], true
	}
	parens := "{}"
	if text[0] == '(' {
		parens = "()"
	}
	n := balanced(text, parens)
	if n == 0 {
		return "", "", false
	}
	return text[1 : n-1], text[n:], true
}

// enter counts one literal or reference. It returns false when the expansion has failed or goes too deep; otherwise
// leave must be called.
func (e *expansion) enter(text string) bool {
	e.level++
	e.shared.depth++
	e.shared.work += len(text) + 1
	if e.level > maxExpandLevel+1 || e.shared.depth > maxExpandDepth || e.shared.work > maxExpandWork {
		e.warn("unreasonable macro call nesting: \"%s\"", head(text, 200))
	}
	if e.failed {
		e.shared.depth--
		return false
	}
	return true
}

func (e *expansion) leave() {
	e.shared.depth--
	e.level--
}

func (e *expansion) literal(text string) {
	if !e.enter(text) {
		return
	}
	defer e.leave()
	e.write(text)
}

// write adds text to the result.
func (e *expansion) write(text string) {
	if !e.scan {
		e.shared.work += len(text)
		e.out.WriteString(text)
	}
}

// reference expands what stands between ${ and }, or follows a plain $.
func (e *expansion) reference(text string) {
	if !e.enter(text) {
		return
	}
	defer e.leave()
	operand := strings.TrimLeft(text, separators)
	if strings.HasPrefix(operand, "{") {
		value, rest, ok := e.comparison(operand)
		if !ok {
			return
		}
		if rest != "" && rest[0] != '?' && rest[0] != ':' {
			e.warn("\"?\" or \":\" expected at: \"...}>>>%s\"", head(rest, 20))
			return
		}
		e.choose(value, rest)
		return
	}
	name, rest, argument, ok := e.name(text, operand)
	switch {
	case !ok:
	case argument != "":
		e.function(name, argument)
	default:
		value, _ := e.x.Lookup(name)
		if rest == "" && e.x.Raw != nil && e.x.Raw(name) {
			e.write(value)
			return
		}
		e.choose(value, rest)
	}
}

// name cuts the parameter or function name at the start of a reference. The rest starts with ? or : or is empty; a
// function's argument is returned with its braces.
func (e *expansion) name(whole, text string) (name, rest, argument string, ok bool) {
	for n := 0; ; n++ {
		rest = strings.TrimLeft(text[n:], separators)
		switch {
		case rest == "" || rest[0] == '?' || rest[0] == ':':
			return text[:n], rest, "", true
		case rest[0] == '{':
			return text[:n], "", rest, true
		case !isNameByte(text[n]):
			done := len(whole) - len(text) + n
			e.warn("attribute name syntax error at: \"...%s>>>%s\"", whole[:done], head(text[n:], 20))
			return "", "", "", false
		}
	}
}

// choose writes the value, or one of the results that follow the operators ? and :.
func (e *expansion) choose(value, rest string) {
	if rest == "" {
		if !e.scan {
			e.parse(value)
		}
		return
	}
	if rest[0] == '?' {
		text, after, ok := e.operand(rest[1:])
		if !ok {
			return
		}
		if value != "" || e.scan {
			e.parse(text)
		}
		if after == "" {
			return
		}
		if after[0] != ':' {
			e.warn("\":\" expected at: \"...%s}>>>%s\"", text, head(after, 20))
			return
		}
		rest = after
	}
	text, after, ok := e.operand(rest[1:])
	if !ok {
		return
	}
	if value == "" || e.scan {
		e.parse(text)
	}
	if after != "" {
		e.warn("unexpected input at: \"...%s}>>>%s\"", text, head(after, 20))
	}
}

// operand cuts {text}, or else takes all there is.
func (e *expansion) operand(text string) (operand, after string, ok bool) {
	if trimmed := strings.TrimLeft(text, separators); strings.HasPrefix(trimmed, "{") {
		return e.braced(trimmed)
	}
	return text, "", true
}

// braced cuts {text} and the white space after it.
func (e *expansion) braced(text string) (inside, after string, ok bool) {
	n := balanced(text, "{}")
	if n == 0 {
		e.warn("unbalanced {} in attribute expression: \"%s\"", text)
		return "", "", false
	}
	return text[1 : n-1], strings.TrimLeft(text[n:], separators), true
}

// function applies a named function to its argument.
func (e *expansion) function(name, argument string) {
	text, after, ok := e.braced(argument)
	if !ok {
		return
	}
	text = strings.Trim(text, spaces)
	if after != "" {
		e.warn("unexpected input at: \"...%s}>>>%s\"", text, head(after, 20))
		return
	}
	apply := expandFunctions[name]
	if apply == nil {
		e.warn("unknown function \"%s\" at\"...>>>%s{%s}\"", name, name, text)
		return
	}
	arg, ok := e.expandOperand(text)
	if !ok || e.scan {
		return
	}
	result, err := apply(arg)
	if err != nil {
		e.warn("bad domain argument in: '%s{%s}'", name, arg)
		return
	}
	e.write(result)
}

// expandOperand expands text that is compared or passed to a function.
func (e *expansion) expandOperand(text string) (string, bool) {
	c := e.child()
	c.parse(text)
	if c.failed {
		e.failed = true
		return "", false
	}
	return c.out.String(), true
}
