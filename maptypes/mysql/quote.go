package mysql

import (
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/query"
)

// quotes says for each place of a query which quotes it stands in: ', ", `, or
// 0 for none. That depends on whether a backslash escapes in the session.
type quotes struct {
	backslash, plain []byte
}

func newQuotes(literals []string) quotes {
	return quotes{backslash: around(literals, true), plain: around(literals, false)}
}

// around finds the quotes around each place. The text in a place never ends
// them.
func around(literals []string, backslash bool) []byte {
	places := make([]byte, 0, len(literals))
	var quote byte
	for _, text := range literals[:len(literals)-1] {
		quote = after(text, quote, backslash)
		places = append(places, quote)
	}
	return places
}

// after returns the quotes that are open at the end of a text, when those in
// quote are open at its start. Comments do not open quotes.
func after(text string, quote byte, backslash bool) byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote = c
		case quote == 0:
			i += commentLen(text[i:])
		case c == '\\' && backslash && quote != '`':
			i++
		case c == quote: // doubled quotes close and open again
			quote = 0
		}
	}
	return quote
}

// commentLen returns the length, less one, of the comment that text starts with,
// or 0. A comment that contains a place ends there.
func commentLen(text string) int {
	end := ""
	switch {
	case strings.HasPrefix(text, "/*") && !strings.HasPrefix(text, "/*!"):
		end = "*/"
	case text[0] == '#', strings.HasPrefix(text, "-- "):
		end = "\n"
	default:
		return 0
	}
	n := strings.Index(text, end)
	if n < 0 {
		return len(text) - 1
	}
	return n + len(end) - 1
}

// missing reports whether there is a place without quotes.
func (q quotes) missing() bool { return strings.IndexByte(string(q.backslash), 0) >= 0 }

// quoter returns the function that quotes for a connection.
func (q quotes) quoter(c *conn) query.Quote {
	if c.noBackslashEscapes {
		return func(dst, value []byte, place int) []byte { return double(dst, value, q.plain[place]) }
	}
	return func(dst, value []byte, place int) []byte {
		if q.backslash[place] == '`' {
			return double(dst, value, '`')
		}
		return escape(dst, value, c.charset)
	}
}

// double appends value with the quotes around it doubled, which is all that can
// be done where a backslash is a character like others. Without quotes around,
// apostrophes are doubled as the C library does.
func double(dst, value []byte, quote byte) []byte {
	if quote == 0 {
		quote = '\''
	}
	for _, c := range value {
		if c == quote {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return dst
}

// escape appends value with a backslash before the characters that are special
// in a string, as mysql_real_escape_string(3) does: in the connection's
// character set.
func escape(dst, value []byte, set *multibyte) []byte {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if n := set.charLen(value[i:]); n > 1 {
			dst = append(dst, value[i:i+n]...)
			i += n - 1
			continue
		}
		switch {
		case set.lead(c):
			// Half a character would make one with what follows.
			dst = append(dst, '\\', c)
		case c == 0:
			dst = append(dst, '\\', '0')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == 0x1a:
			dst = append(dst, '\\', 'Z')
		case c == '\'' || c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
