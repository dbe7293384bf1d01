package mysql

import (
	"bytes"
	"testing"
)

func TestQuotesAround(t *testing.T) {
	for _, test := range []struct {
		literals        []string
		backslash, want string
	}{
		{[]string{"k = '", "'"}, "'", "'"},
		{[]string{"k = \"", "\" AND v = '", "'"}, "\"'", "\"'"},
		{[]string{"k = 'it''s ", "' AND v = ", ""}, "'\x00", "'\x00"},
		{[]string{"k = '\\' ", "'"}, "'", "\x00"},
		{[]string{"SELECT `a'", "` "}, "`", "`"},
		{[]string{"SELECT 1 /* it's */ = '", "'"}, "'", "'"},
		{[]string{"SELECT 1 -- it's\n = '", "'"}, "'", "'"},
		{[]string{"SELECT 1 # \"\n = '", "' # '", ""}, "'\x00", "'\x00"},
		{[]string{"SELECT 1 --1 = '", "'"}, "'", "'"},
	} {
		q := newQuotes(test.literals)
		if string(q.backslash) != test.backslash || string(q.plain) != test.want {
			t.Errorf("%q: quotes %q and without escapes %q, want %q and %q", test.literals, q.backslash, q.plain, test.backslash, test.want)
		}
	}
}

// FuzzEscape reads an escaped value as a server does, in each character set that
// needs care: the value must come back, and the quote after it must end the
// string.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"it's", "\xbf'", "\xbf\\'", "\\", "\x81", "\x810\x810'", "a\x00\n\r\x1a\"", "\xbf\x5c\x5c'"} {
		f.Add([]byte(seed))
	}
	sets := []*multibyte{nil}
	for _, set := range multibytes {
		sets = append(sets, set)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, set := range sets {
			for _, quote := range []byte{'\'', '"'} {
				text := append(escape(nil, value, set), quote, '%')
				if got, rest := readString(text, quote, set); !bytes.Equal(got, value) || string(rest) != "%" {
					t.Errorf("%q in %v: read as %q, rest %q", value, set, got, rest)
				}
			}
		}
		for _, quote := range []byte{'\'', '"', '`'} {
			text := append(double(nil, value, quote), quote, '%')
			got, rest := readPlain(text, quote)
			if !bytes.Equal(got, value) || string(rest) != "%" {
				t.Errorf("%q in %c without escapes: read as %q, rest %q", value, quote, got, rest)
			}
		}
	})
}

// readString reads a string up to its closing quote.
func readString(text []byte, quote byte, set *multibyte) (value, rest []byte) {
	sequences := map[byte]byte{'0': 0, 'n': '\n', 'r': '\r', 'Z': 0x1a}
	for i := 0; i < len(text); i++ {
		if n := set.charLen(text[i:]); n > 1 {
			value = append(value, text[i:i+n]...)
			i += n - 1
			continue
		}
		switch c := text[i]; {
		case c == quote:
			return value, text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			c = text[i]
			if special, ok := sequences[c]; ok {
				c = special
			}
			value = append(value, c)
		default:
			value = append(value, c)
		}
	}
	return value, nil
}

// readPlain reads a string in which only doubled quotes are special.
func readPlain(text []byte, quote byte) (value, rest []byte) {
	for i := 0; i < len(text); i++ {
		if text[i] == quote {
			if i+1 < len(text) && text[i+1] == quote {
				i++
			} else {
				return value, text[i+1:]
			}
		}
		value = append(value, text[i])
	}
	return value, nil
}
