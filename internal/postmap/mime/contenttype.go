package mime

import "strings"

// contentType reads the value of a Content-Type header. A type that it does not
// know leaves the default in place.
func (r *Reader) contentType(value string) {
	tokens, value, _ := nextTokens(value)
	if len(tokens) == 0 {
		r.kind = leaf
		return
	}
	subtype := ""
	if len(tokens) == 3 && tokens[1].is('/') && tokens[2].kind == word {
		subtype = strings.ToLower(tokens[2].text)
	}
	switch {
	case tokens[0].names("text"):
		r.kind = leaf
	case tokens[0].names("message"):
		r.kind = leaf
		if subtype == "rfc822" || subtype == "global" {
			r.kind = attached
		}
	case tokens[0].names("multipart"):
		r.kind = multipart
		part := leaf
		if subtype == "digest" {
			part = attached
		}
		r.pushBoundaries(value, part)
	}
}

// pushBoundaries reads the parameters of a multipart type. There should be one
// boundary. If there are more, each is one: nobody hides a part that way.
func (r *Reader) pushBoundaries(value string, part kind) {
	for {
		tokens, rest, ok := nextTokens(value)
		if !ok {
			return
		}
		value = rest
		if len(tokens) < 3 || !tokens[0].names("boundary") || !tokens[1].is('=') || len(r.stack) > r.limits.Nesting+1 {
			continue
		}
		text := tokens[2].text
		r.stack = append(r.stack, boundary{text: text[:min(len(text), r.limits.BoundaryLength)], part: part})
	}
}

// token is a lexical unit of a header, RFC 2045.
type token struct {
	kind tokenKind
	text string
}

type tokenKind int

const (
	word tokenKind = iota
	quoted
	special // a single character
)

func (t token) names(name string) bool { return t.kind == word && strings.EqualFold(t.text, name) }
func (t token) is(c byte) bool         { return t.kind == special && t.text == string(c) }

// maxTokens is how many tokens a parameter has: name, "=", value.
const maxTokens = 3

// nextTokens returns the first tokens of the text up to a semicolon, and the text
// after that; ok is false at the end of the text.
func nextTokens(text string) (tokens []token, rest string, ok bool) {
	for text != "" {
		if text[0] == ';' {
			return tokens, text[1:], true
		}
		var t token
		var some bool
		t, text, some = cutToken(text)
		if some && len(tokens) < maxTokens {
			tokens = append(tokens, t)
		}
	}
	return tokens, "", len(tokens) > 0
}

// cutToken returns what text, which is not empty, starts with; ok is false if it is
// white space or a comment.
func cutToken(text string) (t token, rest string, ok bool) {
	switch c := text[0]; {
	case isLinearSpace(c):
		return token{}, text[1:], false
	case c == '(':
		return token{}, skipComment(text[1:]), false
	case c == '"':
		content, rest := cutQuoted(text[1:])
		return token{quoted, content}, rest, true
	case isSpecial(c):
		return token{special, text[:1]}, text[1:], true
	}
	end := 0
	for end < len(text) && !isSpecial(text[end]) && text[end] != ' ' {
		end++
	}
	return token{word, text[:end]}, text[end:], true
}

// skipComment returns the text after a comment, of which the "(" is gone. Comments
// nest.
func skipComment(text string) string {
	depth := 1
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[i+1:]
			}
		}
	}
	return ""
}

// cutQuoted returns the content of a quoted string, of which the first quote is
// gone, and the text after it. A line break in it is removed together with the
// white space before it.
func cutQuoted(text string) (content, rest string) {
	var b []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return string(b), text[i+1:]
		case '\n':
			for len(b) > 0 && isLinearSpace(b[len(b)-1]) {
				b = b[:len(b)-1]
			}
			continue
		case '\\':
			if i++; i == len(text) {
				return string(b), ""
			}
		}
		b = append(b, text[i])
	}
	return string(b), ""
}

func isLinearSpace(c byte) bool { return isBlank(c) || c == '\r' || c == '\n' }

// isSpecial reports whether c is a control character or one of tspecials,
// RFC 2045.
func isSpecial(c byte) bool {
	return c < ' ' || c == 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?=", c) >= 0
}
