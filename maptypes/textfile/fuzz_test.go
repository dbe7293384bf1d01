package textfile

import (
	"io"
	"strings"
	"testing"
)

// FuzzReader holds that logical lines have text, start with something other than white space, contain no newline, and
// come with line numbers that increase and lie within the file.
func FuzzReader(f *testing.F) {
	f.Add("a = b\n  c\n#d\n\n e\nf\r\n")
	f.Add(" x\n\x00y\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := NewReader(strings.NewReader(text), "f")
		r.MaxLine = 1000
		last := 0
		for {
			line, err := r.Next()
			if err != nil {
				if err != io.EOF && len(text) <= r.MaxLine {
					t.Errorf("%q: %v", text, err)
				}
				return
			}
			if line.Text == "" || IsSpace(line.Text[0]) || line.Text[0] == '#' || strings.Contains(line.Text, "\n") {
				t.Errorf("%q: bad line %q", text, line.Text)
			}
			if line.Number <= last || line.Last < line.Number || line.Last > strings.Count(text, "\n")+1 {
				t.Errorf("%q: line numbers %d-%d after %d", text, line.Number, line.Last, last)
			}
			last = line.Last
		}
	})
}
