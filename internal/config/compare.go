package config

import (
	"strconv"
	"strings"
)

const operatorBytes = "<>!=?+-*/~&|%" // more than exist, so that a message shows the whole wrong operator

// comparison evaluates {left} operator {right} at the start of text. The value is "true" or empty.
func (e *expansion) comparison(text string) (value, rest string, ok bool) {
	left, rest, ok := e.braced(text)
	if !ok {
		return "", "", false
	}
	operator := rest[:len(rest)-len(strings.TrimLeft(rest, operatorBytes))]
	if !isOperator(operator) {
		// The odd quotes are Postfix's.
		e.warn(`"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: "...%s}>>>%s"`, left, head(rest, 20))
		return "", "", false
	}
	rest = rest[len(operator):]
	kind := rest[:len(rest)-len(strings.TrimLeftFunc(rest, isAlnumRune))]
	if kind != "" && kind != "level" {
		e.warn("bad operator suffix at: \"...%s>>>%s\"", operator, kind)
		return "", "", false
	}
	rest = rest[len(kind):]
	trimmed := strings.TrimLeft(rest, separators)
	if !strings.HasPrefix(trimmed, "{") {
		e.warn("\"{expression}\" expected at: \"...{%s} %s>>>%s\"", left, operator+kind, head(rest, 20))
		return "", "", false
	}
	right, rest, ok := e.braced(trimmed)
	if !ok {
		return "", "", false
	}
	// Both sides are expanded before either failure counts: each may have something to report.
	a, okA := e.expandOperand(left)
	b, okB := e.expandOperand(right)
	if !okA || !okB {
		return "", "", false
	}
	if e.scan {
		return "", rest, true
	}
	order, ok := e.order(a, b, kind)
	if !ok {
		return "", "", false
	}
	if holds(operator, order) {
		value = "true"
	}
	return value, rest, true
}

// order compares two operands: negative, zero or positive.
func (e *expansion) order(a, b, kind string) (int, bool) {
	if kind == "level" {
		return e.levelOrder(a, b)
	}
	if !allDigits(a) || !allDigits(b) {
		return strings.Compare(a, b), true
	}
	var n [2]int64
	for i, text := range []string{a, b} {
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			e.warn("mac_exp_eval: bad conversion: %s", text)
			return 0, false
		}
	}
	switch {
	case n[0] < n[1]:
		return -1, true
	case n[0] > n[1]:
		return 1, true
	}
	return 0, true
}

func (e *expansion) levelOrder(a, b string) (int, bool) {
	var levels [2]compatLevel
	for i, text := range []string{a, b} {
		var err error
		if levels[i], err = parseCompatLevel(text); err != nil {
			e.warn("%v", err)
			return 0, false
		}
	}
	return levels[0].compare(levels[1]), true
}

func isOperator(s string) bool {
	switch s {
	case "==", "!=", "<", "<=", ">=", ">":
		return true
	}
	return false
}

func holds(operator string, order int) bool {
	switch operator {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">=":
		return order >= 0
	}
	return order > 0
}
