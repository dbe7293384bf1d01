package main

import "strings"

// whiteSpace is what isspace knows in the C locale. A line that starts with it continues the line before.
const whiteSpace = blanks + "\v\f"

// cfLines reads the lines of main.cf or master.cf and collects the new text of the file.
type cfLines struct {
	rest   string
	number int // of the line read last
	out    strings.Builder
}

// next returns the next line that is neither empty nor a comment, with its newline. Lines in between are copied.
func (l *cfLines) next() (line string, ok bool) {
	for l.rest != "" {
		if line = l.line(); isContent(line) {
			return line, true
		}
		l.out.WriteString(line)
	}
	return "", false
}

// entry returns the text of an entry that starts with line: with its continuation lines. As in Postfix, comments that
// follow come out before the entry, because only the line after them shows whether the entry has ended.
func (l *cfLines) entry(line string) string {
	var b strings.Builder
	b.WriteString(line)
	for l.rest != "" && (l.rest[0] == '#' || isContinuation(l.rest)) {
		if line := l.line(); isContent(line) {
			b.WriteString(line)
		} else {
			l.out.WriteString(line)
		}
	}
	return b.String()
}

// line returns the next line. The last one gets a newline if it has none.
func (l *cfLines) line() string {
	line, rest, _ := strings.Cut(l.rest, "\n")
	l.rest = rest
	l.number++
	return line + "\n"
}

func isContent(line string) bool {
	text := strings.TrimLeft(line, whiteSpace)
	return text != "" && text[0] != '#'
}

func isContinuation(line string) bool { return strings.IndexByte(whiteSpace, line[0]) >= 0 }
