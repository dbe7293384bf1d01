package maillog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

// appendFields adds " name=value" for each field. Values with blanks or quotes are quoted, so that a value cannot look
// like further fields.
func appendFields(b *strings.Builder, fields logrus.Fields) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := Printable(fmt.Sprint(fields[name]))
		if value == "" || strings.ContainsAny(value, " \"=") {
			value = strconv.Quote(value)
		}
		b.WriteByte(' ')
		b.WriteString(Printable(name))
		b.WriteByte('=')
		b.WriteString(value)
	}
}
