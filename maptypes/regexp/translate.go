package regexp

import (
	"fmt"
	"strings"
)

// regexError is an error of the C library's functions, with glibc's text.
type regexError string

func (e regexError) Error() string { return string(e) }

// The errors of regcomp(3).
const (
	errCollate  regexError = "Invalid collation character"
	errClass    regexError = "Invalid character class name"
	errEscape   regexError = "Trailing backslash"
	errBackref  regexError = "Invalid back reference"
	errBracket  regexError = "Unmatched [, [^, [:, [., or [="
	errParen    regexError = `Unmatched ( or \(`
	errPattern  regexError = "Invalid regular expression"
	errBrace    regexError = `Unmatched \{`
	errInterval regexError = `Invalid content of \{\}`
	errRange    regexError = "Invalid range end"
	errSize     regexError = "Regular expression too big"
	errRepeat   regexError = "Invalid preceding regular expression"
)

// maxRepeat is the highest number in an interval (RE_DUP_MAX).
const maxRepeat = 32767

// translator turns a POSIX expression, in glibc's dialect, into one for PCRE2
// that is matched without options other than PCRE2_CASELESS.
type translator struct {
	in      string
	pos     int
	options uint32
	out     []byte

	groups int    // groups opened so far
	closed uint16 // bit set of the groups that a back reference may name
	depth  int    // open groups
	start  bool   // basic syntax: a ^ here is an anchor
}

// translate returns the PCRE2 form of an expression.
func translate(expr string, options uint32) (string, error) {
	t := translator{in: expr, options: options}
	if err := t.alternatives(); err != nil {
		return "", err
	}
	return string(t.out), nil
}

func (t *translator) extended() bool { return t.options&optExtended != 0 }

// kind is what a piece of an expression is.
type kind int

const (
	kEnd kind = iota
	kLiteral
	kNever // a character that matches nothing
	kAny
	kBracket
	kOpen
	kClose
	kAlternative
	kRepeat   // * + ?
	kInterval // {
	kAnchor
	kClass // \w and the like
	kBackref
)

// token is one piece of an expression.
type token struct {
	kind kind
	c    byte   // the character, or the digit of a back reference
	text string // PCRE2 form of an anchor or class
	size int    // bytes in the expression
}

// peek returns the next token.
func (t *translator) peek() (token, error) {
	if t.pos == len(t.in) {
		return token{kind: kEnd}, nil
	}
	c := t.in[t.pos]
	if c == '\\' {
		if t.pos+1 == len(t.in) {
			return token{}, errEscape
		}
		return t.escaped(t.in[t.pos+1]), nil
	}
	tok := token{c: c, size: 1}
	switch c {
	case '.':
		tok.kind = kAny
	case '[':
		tok.kind = kBracket
	case '*':
		tok.kind = kRepeat
	case '^':
		tok.kind = kLiteral
		if t.extended() || t.start {
			tok.kind, tok.text = kAnchor, t.lineStart()
		}
	case '$':
		tok.kind = kLiteral
		if t.extended() || t.endsBranch(t.in[t.pos+1:]) {
			tok.kind, tok.text = kAnchor, t.lineEnd()
		}
	default:
		tok.kind = kLiteral
		if t.extended() {
			tok.kind = operator(c)
		}
	}
	return tok, nil
}

// operator returns what a character is that has a meaning without a backslash in
// extended syntax and with a backslash in basic syntax.
func operator(c byte) kind {
	switch c {
	case '(':
		return kOpen
	case ')':
		return kClose
	case '|':
		return kAlternative
	case '{':
		return kInterval
	case '+', '?':
		return kRepeat
	default:
		return kLiteral
	}
}

// escapes are the GNU operators with the same meaning in both syntaxes.
var escapes = map[byte]token{
	'<':  {kind: kAnchor, text: `\b(?=\w)`},
	'>':  {kind: kAnchor, text: `\b(?<=\w)`},
	'b':  {kind: kAnchor, text: `\b`},
	'B':  {kind: kAnchor, text: `\B`},
	'`':  {kind: kAnchor, text: `\A`},
	'\'': {kind: kAnchor, text: `\z`},
	'w':  {kind: kClass, text: `\w`},
	'W':  {kind: kClass, text: `\W`},
	's':  {kind: kClass, text: `\s`},
	'S':  {kind: kClass, text: `\S`},
}

// escaped returns the token of a backslash and c.
func (t *translator) escaped(c byte) token {
	tok, ok := escapes[c]
	if !ok {
		tok = token{kind: kLiteral, c: c}
		switch {
		case '1' <= c && c <= '9':
			tok.kind = kBackref
		case t.options&optIgnoreCase != 0 && 'a' <= c && c <= 'z':
			// glibc compares this letter as it stands with a key in upper case.
			tok.kind = kNever
		case !t.extended():
			tok.kind = operator(c)
		}
	}
	tok.size = 2
	return tok
}

func (t *translator) lineStart() string {
	if t.options&optNewline != 0 {
		return `(?:\A|(?<=\n))`
	}
	return `\A`
}

func (t *translator) lineEnd() string {
	if t.options&optNewline != 0 {
		return `(?=\n|\z)`
	}
	return `\z`
}

// endsBranch reports whether a branch in basic syntax ends before rest.
func (t *translator) endsBranch(rest string) bool {
	return rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`)
}

// alternatives translates branches up to the end of the group or expression. A
// back reference cannot name a group of another branch.
func (t *translator) alternatives() error {
	before, after := t.closed, t.closed
	for {
		t.start = true
		if err := t.branch(); err != nil {
			return err
		}
		after |= t.closed
		tok, err := t.peek()
		if err != nil {
			return err
		}
		if tok.kind != kAlternative {
			t.closed = after
			return nil
		}
		t.closed = before
		t.pos += tok.size
		t.out = append(t.out, '|')
	}
}

// branch translates what follows each other.
func (t *translator) branch() error {
	for {
		tok, err := t.peek()
		if err != nil {
			return err
		}
		if tok.kind == kEnd || tok.kind == kAlternative || tok.kind == kClose && t.depth > 0 {
			return nil
		}
		atom, repeatable, err := t.atom(tok)
		if err != nil {
			return err
		}
		t.start = false
		if repeatable {
			if atom, err = t.repeats(atom); err != nil {
				return err
			}
		}
		t.out = append(t.out, atom...)
	}
}

// atom translates one piece; nothing can be repeated after an anchor.
func (t *translator) atom(tok token) (text string, repeatable bool, err error) {
	t.pos += tok.size
	switch tok.kind {
	case kAny:
		return t.any(), true, nil
	case kBracket:
		text, err = t.bracket()
		return text, true, err
	case kOpen:
		text, err = t.group()
		return text, true, err
	case kClose:
		if !t.extended() {
			return "", false, errParen
		}
	case kRepeat:
		if t.extended() {
			return "", false, errRepeat
		}
	case kInterval:
		return "", false, errRepeat
	case kAnchor:
		return tok.text, false, nil
	case kClass:
		return tok.text, true, nil
	case kNever:
		return `(?!)`, true, nil
	case kBackref:
		if t.closed&(1<<(tok.c-'0')) == 0 {
			return "", false, errBackref
		}
		return fmt.Sprintf(`\g{%c}`, tok.c), true, nil
	}
	return literal(tok.c), true, nil
}

func (t *translator) any() string {
	if t.options&optNewline != 0 {
		return `[^\n]`
	}
	return `[\x00-\xff]`
}

func literal(c byte) string { return fmt.Sprintf(`\x%02x`, c) }

// group translates a group, whose opening parenthesis has been read.
func (t *translator) group() (string, error) {
	t.groups++
	number := t.groups
	outer := t.out
	t.out = nil
	t.depth++
	err := t.alternatives()
	t.depth--
	inside := string(t.out)
	t.out = outer
	if err != nil {
		return "", err
	}
	tok, err := t.peek()
	if err != nil {
		return "", err
	}
	if tok.kind != kClose {
		return "", errParen
	}
	t.pos += tok.size
	if number <= 9 {
		t.closed |= 1 << number
	}
	return "(" + inside + ")", nil
}
