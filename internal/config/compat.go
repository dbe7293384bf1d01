package config

import (
	"cmp"
	"fmt"
	"strings"
)

// compatLevel is the value of compatibility_level: major, minor and patch number. Missing ones are zero.
type compatLevel [3]int64

// Limits of the three numbers, so that all Postfix versions agree on which levels exist.
var compatLimits = compatLevel{1<<43 - 1, 1<<10 - 1, 1<<10 - 1}

// parseCompatLevel reads major[.minor[.patch]].
func parseCompatLevel(text string) (compatLevel, error) {
	var level compatLevel
	rest, bad := text, fmt.Errorf("malformed compatibility level syntax: \"%s\"", text)
	for i := range level {
		n, after, ok := cutInt(rest)
		if !ok || n < 0 || n > compatLimits[i] {
			return compatLevel{}, bad
		}
		level[i] = n
		if after == "" {
			return level, nil
		}
		if after[0] != '.' {
			break
		}
		rest = after[1:]
	}
	return compatLevel{}, bad
}

func (l compatLevel) compare(m compatLevel) int {
	for i := range l {
		if c := cmp.Compare(l[i], m[i]); c != 0 {
			return c
		}
	}
	return 0
}

// String is the level in the form that Postfix prints: without minor number up to 2.
func (l compatLevel) String() string {
	var b strings.Builder
	fmt.Fprint(&b, l[0])
	if l[0] > 2 {
		fmt.Fprintf(&b, ".%d", l[1])
		if l[2] != 0 {
			fmt.Fprintf(&b, ".%d", l[2])
		}
	}
	return b.String()
}
