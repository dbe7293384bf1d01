package mysql

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/proxymapd/proxymapd/maptypes"
)

// source is a connection from which an answer is read.
type source struct {
	net.Conn
	*bytes.Reader
}

func (s source) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// packets encodes packets with their headers.
func packets(bodies ...string) string {
	var b strings.Builder
	for i, body := range bodies {
		b.Write([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), byte(i + 1)})
		b.WriteString(body)
	}
	return b.String()
}

// read reads an answer, and returns its values, NULL as "NULL".
func read(text string, eof bool) (values []string, got bool, rest int, err error) {
	var r reader
	r.init(source{Reader: bytes.NewReader([]byte(text))}, eof)
	got, err = r.answer(func(value []byte) error {
		switch {
		case value == nil:
			values = append(values, "NULL")
		case string(value) == "too much":
			return maptypes.ErrRetry
		default:
			values = append(values, string(value))
		}
		return nil
	})
	return values, got, r.in.Buffered(), err
}

// Parts of answers: definitions of a column are not looked at.
const (
	column   = "any text"
	end      = "\xfe\x00\x00\x02\x00\x00\x00" // results end with an OK packet
	endMore  = "\xfe\x00\x00\x0a\x00\x00\x00"
	eofEnd   = "\xfe\x00\x00\x02\x00"
	okEnd    = "\x00\x00\x00\x02\x00\x00\x00"
	okMore   = "\x00\x00\x00\x0a\x00\x00\x00"
	refused  = "\xff\x28\x04#42000You have an error"
	shutdown = "\xff\x1d\x04#08S01Server shutdown"
)

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct {
		text   string
		eof    bool
		values string
		got    bool
		err    string
	}{
		"rows":                   {text: packets("\x01", column, "\x01a", "\x01b", end), values: "a b", got: true},
		"no rows":                {text: packets("\x01", column, end), got: true},
		"NULL and empty":         {text: packets("\x02", column, column, "\xfb\x00", end), values: "NULL ", got: true},
		"long value":             {text: packets("\x01", column, "\xfc\x2c\x01"+long, end), values: long, got: true},
		"older end":              {text: packets("\x01", column, eofEnd, "\x01a", eofEnd), eof: true, values: "a", got: true},
		"MariaDB's definitions":  {text: packets("\x01\x01", column, "\x01a", end), values: "a", got: true},
		"and those left out":     {text: packets("\x01\x00", "\x01a", end), values: "a", got: true},
		"no columns":             {text: packets(okEnd)},
		"refused":                {text: packets(refused), err: "You have an error"},
		"refused amid rows":      {text: packets("\x01", column, "\x01a", refused), values: "a", got: true, err: "You have an error"},
		"procedure":              {text: packets("\x01", column, "\x01a", endMore, okEnd), values: "a", got: true},
		"procedure, late error":  {text: packets("\x01", column, "\x01a", endMore, refused), values: "a", got: true, err: "late: You have an error"},
		"result after none":      {text: packets(okMore, "\x01", column, "\x01a", end), values: "a", got: true},
		"two results":            {text: packets("\x01", column, "\x01a", endMore, "\x01", column, "\x01b", end), values: "a", got: true, err: errMultiple.Error()},
		"more than is wanted":    {text: packets("\x01", column, "\x08too much", "\x01b", end), got: true, err: maptypes.ErrRetry.Error()},
		"end of the connection":  {text: packets("\x01", column, "\x01a"), values: "a", err: "broken: EOF"},
		"cut short":              {text: packets("\x01", column, "\x01a", end)[:16], err: "broken: EOF"},
		"value beyond the row":   {text: packets("\x01", column, "\x05abc", end), err: "broken: malformed packet"},
		"empty packet":           {text: packets(""), err: "broken: malformed packet"},
		"too many columns":       {text: packets("\xfd\xff\xff\xff"), err: "broken: malformed packet"},
		"the end of another one": {text: packets("\x01", column, end)[:4] + "?" + packets(end), err: "broken: malformed packet"},
		"local file":             {text: packets("\xfb/etc/passwd"), err: "broken: LOAD DATA LOCAL is not supported"},
	} {
		values, got, rest, err := read(test.text, test.eof)
		text := ""
		var later *laterError
		switch {
		case isBroken(err):
			text = "broken: " + err.Error()
		case errors.As(err, &later):
			text = "late: " + message(err)
		case err != nil:
			text = message(err)
		}
		if strings.Join(values, " ") != test.values || got != test.got || text != test.err {
			t.Errorf("%s: values %q, result %v, error %q", name, values, got, text)
		}
		if !isBroken(err) && rest != 0 {
			t.Errorf("%s: %d bytes are left for the next answer", name, rest)
		}
	}
	if err := lostUnlessServer(refusalIn([]byte(shutdown))); !shutsDown(errors.Unwrap(err)) && !strings.Contains(err.Error(), "shutdown") {
		t.Errorf("shutdown: %v", err)
	}
}

// A row may be larger than what is read at once, and than one packet.
func TestLargeRow(t *testing.T) {
	value := strings.Repeat("v", 1<<16)
	row := "\xfd\x00\x00\x01" + value
	values, _, rest, err := read(packets("\x01", column, row, end), false)
	if err != nil || rest != 0 || !slices.Equal(values, []string{value}) {
		t.Errorf("%d values, %d bytes left, %v", len(values), rest, err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		packets("\x01", column, "\x01a", end), packets("\x01", column, eofEnd, "\xfb", eofEnd), packets(okEnd), packets(refused),
		packets("\x01", column, "\x01a", endMore, okEnd), packets("\xfb/etc/passwd"), packets("\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, eof bool) {
		values, got, _, err := read(text, eof)
		if err == nil && len(values) > 0 && !got {
			t.Errorf("values %q without a result", values)
		}
		total := 0
		for _, value := range values {
			if value != "NULL" {
				total += len(value)
			}
		}
		if total > len(text) {
			t.Errorf("%d bytes of values in %d bytes", total, len(text))
		}
	})
}
