package main

import (
	"fmt"
	"io"
	"strings"
)

// printJSON writes an object with one member on a line of its own. A value that is not UTF-8 is passed through, as
// Postfix does it.
func printJSON(w io.Writer, name, value string) {
	fmt.Fprintf(w, "{\"%s\": \"%s\"}\n", quoteJSON(name), quoteJSON(value))
}

// quoteJSON escapes what may not stand in a JSON string.
func quoteJSON(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; c {
		case '\\', '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < ' ' || c == 0x7f {
				fmt.Fprintf(&b, `\u%04X`, c)
				continue
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}

// printEntryJSON prints an entry of master.cf with single spaces between its columns.
func (pc *postconf) printEntryJSON(s *service) error {
	text, err := pc.withArguments(s, strings.Join(s.columns[:minColumns], " "))
	if err != nil {
		return err
	}
	printJSON(pc.out, s.name(), text)
	return nil
}

// printFieldJSON prints a column of master.cf. The arguments belong to the command.
func (pc *postconf) printFieldJSON(s *service, column int) error {
	text := s.columns[column]
	if column == columnCommand {
		var err error
		if text, err = pc.withArguments(s, text); err != nil {
			return err
		}
	}
	printJSON(pc.out, s.name()+"/"+columnNames[column], text)
	return nil
}

// withArguments adds what follows the command to text, on the same line.
func (pc *postconf) withArguments(s *service, text string) (string, error) {
	w := &lineWriter{length: lineLimit} // full, so that a space follows even a short text
	w.text.WriteString(text)
	if err := pc.printArguments(w, s, 0); err != nil {
		return "", err
	}
	return w.text.String(), nil
}
