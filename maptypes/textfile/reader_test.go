package textfile

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll returns all logical lines and warnings.
func readAll(t *testing.T, input string) (lines []Line, warnings []string) {
	t.Helper()
	r := NewReader(iotest.OneByteReader(strings.NewReader(input)), "main.cf")
	r.Warn = func(m string) { warnings = append(warnings, m) }
	for {
		line, err := r.Next()
		if err == io.EOF {
			return lines, warnings
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

func TestReader(t *testing.T) {
	for _, tc := range []struct {
		name     string
		input    string
		lines    []Line
		warnings []string
	}{
		{"empty file", "", nil, nil},
		{"plain lines", "a = b\nc = d\n", []Line{{"a = b", 1, 1}, {"c = d", 2, 2}}, nil},
		{"no newline at the end", "abc def", []Line{{"abc def", 1, 1}}, nil},
		{"comment without newline at the end", "#abc def", nil, nil},
		{"comment, blank and empty lines first", "# x\n\n \t\nabc\n", []Line{{"abc", 4, 4}}, nil},
		{"indented comment first", " #abc\nfghij\n", []Line{{"fghij", 2, 2}}, nil},
		{"continuation keeps its white space", "a =\n  b\n\tc\nd\n", []Line{{"a =  b\tc", 1, 3}, {"d", 4, 4}}, nil},
		{"comment flush left inside", "abc\n#def\n ghi\n", []Line{{"abc ghi", 1, 3}}, nil},
		{"comment indented inside", "abc\n #def\n ghi\n", []Line{{"abc ghi", 1, 3}}, nil},
		{"empty line inside", "abc\n\n ghi\n", []Line{{"abc ghi", 1, 3}}, nil},
		{"comments after the text are consumed", "abc\n#x\n\ndef\n", []Line{{"abc", 1, 3}, {"def", 4, 4}}, nil},
		{"blanks at the end of the file", "abc\n ", []Line{{"abc", 1, 2}}, nil},
		{"carriage returns are kept and are white space", "a = b\r\n\r\n\rc\r\n", []Line{{"a = b\r\rc\r", 1, 3}}, nil},
		{"no-break space is text", "\u00a0a\n", []Line{{"\u00a0a", 1, 1}}, nil},
		{"a hash inside the text is text", "a = b # c\n", []Line{{"a = b # c", 1, 1}}, nil},
		{
			"continuation of nothing is dropped", " abcde\nfghij\n",
			[]Line{{"fghij", 2, 2}},
			[]string{`main.cf: logical line must not start with whitespace: " abcde"`},
		},
		{
			"NUL in one line", "abc\x00def\n",
			[]Line{{"abc\x00def", 1, 1}},
			[]string{"main.cf, line 1: text after null byte may be ignored"},
		},
		{
			"NUL in several lines", "abc\x00\n def",
			[]Line{{"abc\x00 def", 1, 2}},
			[]string{"main.cf, line 1-2: text after null byte may be ignored"},
		},
		{
			"long text that continues nothing", " 0123456789012345678901234567890\n",
			nil,
			[]string{`main.cf: logical line must not start with whitespace: " 01234567890123456789012345678..."`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, warnings := readAll(t, tc.input)
			if !reflect.DeepEqual(lines, tc.lines) {
				t.Errorf("lines %+v, want %+v", lines, tc.lines)
			}
			if !reflect.DeepEqual(warnings, tc.warnings) {
				t.Errorf("warnings %q, want %q", warnings, tc.warnings)
			}
		})
	}
}

func TestLineCString(t *testing.T) {
	if got := (Line{Text: "abc\x00def"}).CString(); got != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestReaderBoundsLines(t *testing.T) {
	r := NewReader(strings.NewReader("short\nabc\n "+strings.Repeat("x", 200)+"\nnext\n"), "f")
	r.MaxLine = 100
	if line, err := r.Next(); err != nil || line.Text != "short" {
		t.Fatalf("first line: %+v, %v", line, err)
	}
	for range 2 {
		_, err := r.Next()
		if !errors.Is(err, ErrLineTooLong) || !strings.Contains(err.Error(), "f, line 3: ") {
			t.Fatalf("long line: %v", err)
		}
	}
}

func TestReaderReportsReadErrors(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrUnexpectedEOF))
	r := NewReader(broken, "f")
	if line, err := r.Next(); err != nil || line.Text != "a" {
		t.Fatalf("first line: %+v, %v", line, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "read f, line 2: ") {
		t.Fatalf("second line: %v", err)
	}
}
