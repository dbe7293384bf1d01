package tablecf

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
)

// String returns the text of a parameter, or def when it is not there.
func (s *Settings) String(name, def string) string {
	if text, ok := s.Lookup(name); ok {
		return text
	}
	return def
}

// Required returns the text of a parameter, which must not be empty; def stands
// for a missing one.
func (s *Settings) Required(name, def string) string {
	text := s.String(name, def)
	if text == "" {
		s.fail("bad string length 0 < 1: %s = ", s.full(name))
	}
	return text
}

// Int returns the value of a decimal parameter. A value below least is an
// error; math.MinInt sets no limit.
func (s *Settings) Int(name string, def, least int) int {
	text, ok := s.Lookup(name)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(strings.TrimLeft(text, " \t"), 10, 32)
	if err != nil {
		s.fail("bad numerical configuration: %s = %s", s.full(name), text)
		return def
	}
	if least != math.MinInt && int(n) < least {
		s.fail("invalid %s parameter value %d < %d", s.full(name), n, least)
		return def
	}
	return int(n)
}

// Bool returns the value of a parameter that is "yes" or "no" in any case.
func (s *Settings) Bool(name string, def bool) bool {
	text, ok := s.Lookup(name)
	switch {
	case !ok:
		return def
	case strings.EqualFold(text, "yes"):
		return true
	case strings.EqualFold(text, "no"):
		return false
	}
	s.fail("bad boolean configuration: %s = %s", s.full(name), text)
	return def
}

// Seconds returns the value of a time parameter: a number of seconds, as in
// Postfix's tables, or a number with one of the units s, m, h, d, w. A value
// below least is an error.
func (s *Settings) Seconds(name string, def, least time.Duration) time.Duration {
	text, ok := s.Lookup(name)
	if !ok {
		return def
	}
	d, err := maptypes.ParseTime(text, 's')
	if err != nil {
		s.fail("bad numerical configuration: %s = %s", s.full(name), text)
		return def
	}
	if d < least {
		s.fail("invalid %s parameter value %d < %d", s.full(name), d/time.Second, least/time.Second)
		return def
	}
	return d
}

// MainInt returns the value, not less than least, of a number in main.cf that is
// not the table's own.
func (s *Settings) MainInt(name string, def, least int) int {
	if s.main == nil {
		return def
	}
	text, ok := s.main(name)
	if !ok || text == "" {
		return def
	}
	n, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		s.fail("bad numerical configuration: %s = %s", name, text)
		return def
	case int(n) < least:
		s.fail("invalid %s parameter value %d < %d", name, n, least)
		return def
	}
	return int(n)
}
