package mysql

import (
	"database/sql/driver"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// columns turns the values of a result set back into the text that the server
// has sent. The library has no way to get at that: it makes numbers of some
// types, and a number does not tell how it was written.
type columns struct {
	rows  driver.Rows
	count int
	dest  []driver.Value
	forms []form
	buf   []byte
}

// form is how the server writes the numbers of a column.
type form struct {
	width    int // of a ZEROFILL or YEAR column, filled with zeros; else 0
	decimals int // of FLOAT(m,d) and DOUBLE(m,d); -1: as many as needed
}

func newColumns(rows driver.Rows) *columns {
	n := len(rows.Columns())
	c := &columns{rows: rows, count: n, dest: make([]driver.Value, n), forms: make([]form, n)}
	for i := range c.forms {
		c.forms[i] = formOf(rows, i)
	}
	return c
}

// formOf asks the library about a column.
func formOf(rows driver.Rows, i int) form {
	f := form{decimals: -1}
	name := ""
	if r, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		name = r.ColumnTypeDatabaseTypeName(i)
	}
	switch {
	case name == "FLOAT" || name == "DOUBLE":
		// 31 decimals stand for a type without a fixed number of them.
		if r, ok := rows.(driver.RowsColumnTypePrecisionScale); ok {
			if _, scale, ok := r.ColumnTypePrecisionScale(i); ok && scale < 31 {
				f.decimals = int(scale)
			}
		}
	case name == "YEAR" || strings.HasPrefix(name, "UNSIGNED "):
		f.width = zeroFill(rows, i)
	}
	return f
}

// flagZeroFill is ZEROFILL_FLAG of the column definition packet
// (https://mariadb.com/kb/en/result-set-packets/, "field details flag").
const flagZeroFill = 1 << 6

// zeroFill returns the width of a column that is filled with zeros, or 0. The
// library keeps both facts to itself, so its fields are read by reflection;
// TestNumbers fails when a new version of the library has no such fields.
func zeroFill(rows driver.Rows, i int) int {
	set := reflect.Indirect(reflect.ValueOf(rows)).FieldByName("rs")
	if !set.IsValid() {
		return 0
	}
	list := set.FieldByName("columns")
	if !list.IsValid() || list.Kind() != reflect.Slice || i >= list.Len() {
		return 0
	}
	flags, length := list.Index(i).FieldByName("flags"), list.Index(i).FieldByName("length")
	if !flags.IsValid() || !flags.CanUint() || !length.IsValid() || !length.CanUint() || flags.Uint()&flagZeroFill == 0 {
		return 0
	}
	return int(length.Uint())
}

// each calls add for each column of each row, NULL as nil. The text is valid
// until add returns.
func (c *columns) each(add func([]byte) error) error {
	for {
		err := c.rows.Next(c.dest)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i, value := range c.dest {
			if err := add(c.text(value, c.forms[i])); err != nil {
				return err
			}
		}
	}
}

// text returns a value as the server wrote it, and NULL as nil.
func (c *columns) text(value driver.Value, f form) []byte {
	c.buf = c.buf[:0]
	switch v := value.(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string:
		c.buf = append(c.buf, v...)
	case int64:
		c.buf = strconv.AppendInt(c.buf, v, 10)
	case uint64:
		c.buf = strconv.AppendUint(c.buf, v, 10)
	case float32:
		c.buf = appendFloat(c.buf, float64(v), f.decimals, 32)
	case float64:
		c.buf = appendFloat(c.buf, v, f.decimals, 64)
	}
	if missing := f.width - len(c.buf); missing > 0 {
		return append([]byte(strings.Repeat("0", missing)), c.buf...)
	}
	return c.buf
}

// appendFloat appends a number as MySQL prints it: with the fixed number of
// decimals, or else in the fewest digits, and with an exponent when the point
// would stand more than 15 places after, or 14 before, the first digit.
func appendFloat(dst []byte, v float64, decimals, bits int) []byte {
	if decimals >= 0 {
		return strconv.AppendFloat(dst, v, 'f', decimals, bits)
	}
	text := strconv.FormatFloat(v, 'e', -1, bits)
	mantissa, exponent, _ := strings.Cut(text, "e")
	n, err := strconv.Atoi(exponent)
	if err != nil || n >= -15 && n < 15 {
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	dst = append(dst, mantissa...)
	dst = append(dst, 'e')
	return strconv.AppendInt(dst, int64(n), 10)
}
