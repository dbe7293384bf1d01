package unixmap

import (
	"strconv"
	"strings"
)

// format is the form of the lines of a database file.
type format int

const (
	userLine  format = 7 // passwd(5): name:password:uid:gid:gecos:directory:shell
	groupLine format = 4 // group(5): name:password:gid:members
)

// fields is one line of a database file.
type fields struct {
	name   string
	number uint64 // user or group id
	text   []string
}

// find appends the first entry that is wanted to dst. Lines that are no entries
// are skipped, as the C library does.
func (f format) find(dst []byte, text string, wanted func(*fields) bool) (entry []byte, found bool) {
	for line := range strings.Lines(text) {
		e, ok := f.split(strings.TrimSuffix(line, "\n"))
		if ok && wanted(&e) {
			return append(dst, strings.Join(e.text, ":")...), true
		}
	}
	return dst, false
}

// split takes a line apart. A number is written in its shortest form; a missing
// shell or list of members is empty.
func (f format) split(line string) (e fields, ok bool) {
	line = strings.TrimLeft(line, " \t")
	if line == "" || strings.IndexByte("#+-", line[0]) >= 0 {
		return fields{}, false
	}
	text := strings.SplitN(line, ":", int(f))
	if len(text) == int(f)-1 {
		text = append(text, "")
	}
	if len(text) != int(f) || text[0] == "" {
		return fields{}, false
	}
	numbers := 1
	if f == userLine {
		numbers = 2
	}
	for i := range numbers {
		n, err := strconv.ParseUint(text[2+i], 10, 32)
		if err != nil {
			return fields{}, false
		}
		text[2+i] = strconv.FormatUint(n, 10)
		if i == 0 {
			e.number = n
		}
	}
	e.name, e.text = text[0], text
	return e, true
}
