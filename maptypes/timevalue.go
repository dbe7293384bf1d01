package maptypes

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseTime returns the length of a Postfix time value: a decimal number and
// one of the units s, m, h, d, w (postconf(5), "time units"). A number without
// a unit counts in the given one.
func ParseTime(text string, unit byte) (time.Duration, error) {
	digits := strings.TrimSpace(text)
	if n := len(digits); n > 0 && (digits[n-1] < '0' || digits[n-1] > '9') {
		unit = digits[n-1]
		digits = digits[:n-1]
	}
	scale, ok := timeUnits[unit]
	if !ok {
		return 0, fmt.Errorf("bad time value %q: the unit must be one of s, m, h, d, w", text)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("bad time value %q: not a number", text)
	}
	if n > math.MaxInt64/int64(scale) {
		return 0, fmt.Errorf("bad time value %q: too large", text)
	}
	return time.Duration(n) * scale, nil
}

var timeUnits = map[byte]time.Duration{
	's': time.Second,
	'm': time.Minute,
	'h': time.Hour,
	'd': 24 * time.Hour,
	'w': 7 * 24 * time.Hour,
}
