package config

import (
	"errors"
	"math"
	"strings"
	"time"
)

// Causes of an Error about a value.
var (
	ErrBool   = errors.New("bad boolean configuration")
	ErrNumber = errors.New("bad numerical configuration")
	ErrTime   = errors.New("bad time value or unit")
	ErrLimit  = errors.New("value out of range")
)

// String returns the expanded value; empty when the parameter is unknown and not set. It is an error when it is shorter
// or longer than the parameter allows.
func (p *Params) String(name string) (string, error) {
	value, err := p.expanded(name)
	if err != nil {
		return "", err
	}
	b := builtin(name)
	if b == nil || b.Type != TypeString && b.Type != TypeRaw {
		return value, nil
	}
	switch n := int64(len(value)); {
	case b.Min != 0 && n < b.Min:
		return "", p.fail(name, value, ErrLimit, "bad string length %d < %d: %s = %s", n, b.Min, name, value)
	case b.Max != 0 && n > b.Max:
		return "", p.fail(name, value, ErrLimit, "bad string length %d > %d: %s = %s", n, b.Max, name, value)
	}
	return value, nil
}

func (p *Params) expanded(name string) (string, error) {
	raw, _ := p.Raw(name)
	if b := builtin(name); b != nil && b.Type == TypeRaw {
		return raw, nil
	}
	value, err := p.expander(p.Raw).Expand(raw)
	if err != nil {
		return "", p.fail(name, raw, err, "%v: %s = %s", err, name, raw)
	}
	return value, nil
}

// Int returns the value of an integer parameter. It is an error when it is not a number, does not fit the parameter's
// type (32 bits, or 64 for sizes), or is out of its limits.
func (p *Params) Int(name string) (int, error) {
	value, err := p.expanded(name)
	if err != nil {
		return 0, err
	}
	b := builtin(name)
	if b == nil {
		b = &Parameter{Name: name, Type: TypeInt}
	}
	low, high := b.Type.intLimits()
	n, rest, ok := cutInt(value)
	if !ok || rest != "" || n < low || n > high {
		return 0, p.fail(name, value, ErrNumber, "bad numerical configuration: %s = %s", name, value)
	}
	switch {
	case b.Min != 0 && n < b.Min:
		return 0, p.fail(name, value, ErrLimit, "invalid %s parameter value %d < %d", name, n, b.Min)
	case b.Max != 0 && n > b.Max:
		return 0, p.fail(name, value, ErrLimit, "invalid %s parameter value %d > %d", name, n, b.Max)
	}
	return int(n), nil
}

// Bool returns the value of a boolean parameter: yes or no, in upper or lower case.
func (p *Params) Bool(name string) (bool, error) {
	value, err := p.expanded(name)
	if err != nil {
		return false, err
	}
	switch {
	case strings.EqualFold(value, "yes"):
		return true, nil
	case strings.EqualFold(value, "no"):
		return false, nil
	}
	return false, p.fail(name, value, ErrBool, "bad boolean configuration: %s = %s", name, value)
}

// Duration returns the value of a time parameter: a number and one of the units s, m, h, d, w. The unit of a plain
// number is that of the parameter's default, or seconds.
func (p *Params) Duration(name string) (time.Duration, error) {
	value, err := p.expanded(name)
	if err != nil {
		return 0, err
	}
	unit, err := p.defaultUnit(name)
	if err != nil {
		return 0, err
	}
	seconds, ok := parseTime(value, unit)
	if !ok {
		return 0, p.fail(name, value, ErrTime, "parameter %s: bad time value or unit: %s", name, value)
	}
	if b := builtin(name); b != nil && b.Type == TypeTime {
		switch {
		case b.Min != 0 && seconds < b.Min:
			return 0, p.fail(name, value, ErrLimit, "invalid %s: %d (min %d)", name, seconds, b.Min)
		case b.Max != 0 && seconds > b.Max:
			return 0, p.fail(name, value, ErrLimit, "invalid %s: %d (max %d)", name, seconds, b.Max)
		}
	}
	return time.Duration(seconds) * time.Second, nil
}

// defaultUnit returns the first letter of the parameter's default, which is its unit.
func (p *Params) defaultUnit(name string) (byte, error) {
	raw, _ := p.Default(name)
	value, err := p.Eval(raw)
	if err != nil {
		return 0, err
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return isAlnumRune(r) && r > '9' }); i >= 0 {
		return value[i], nil
	}
	return 's', nil
}

// parseTime converts a time value to seconds. As in Postfix, a time must fit 31 bits, and only the first character
// after the number counts.
func parseTime(value string, unit byte) (seconds int64, ok bool) {
	n, rest, ok := cutInt(value)
	if !ok {
		n, rest = 0, value
		if rest == "" || strings.TrimLeft(rest, spaces+"+-0123456789") != strings.TrimLeft(rest, spaces+"+-") {
			return 0, false // no number that fits
		}
	}
	if n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	if rest != "" {
		unit = rest[0]
	}
	factor := map[byte]int64{'s': 1, 'm': 60, 'h': 60 * 60, 'd': 24 * 60 * 60, 'w': 7 * 24 * 60 * 60}[unit]
	if factor == 0 || factor > 1 && n >= math.MaxInt32/factor {
		return 0, false
	}
	return n * factor, true
}

// Common are the parameters that every program of Postfix checks when it starts, before those that it uses itself.
var Common = []string{
	"compatibility_level", "syslog_facility", "maillog_file_prefixes", "smtputf8_enable", "mail_owner", "setgid_group",
	"daemon_directory", "data_directory", "command_directory", "queue_directory", "process_id_directory", "default_process_limit",
	"max_use", "fork_attempts", "deliver_lock_attempts", "berkeley_db_create_buffer_size", "berkeley_db_read_buffer_size",
	"lmdb_map_size", "application_event_drain_time", "max_idle", "ipc_timeout", "ipc_idle", "ipc_ttl", "trigger_timeout",
	"fork_delay", "deliver_lock_delay", "stale_lock_time", "daemon_timeout",
}

// Check returns the error of the first of the named parameters whose value does not fit its type and limits.
func (p *Params) Check(names ...string) error {
	for _, name := range names {
		if err := p.check(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *Params) check(name string) (err error) {
	switch builtin(name).kind() {
	case TypeInt, TypeLong:
		_, err = p.Int(name)
	case TypeBool:
		_, err = p.Bool(name)
	case TypeTime:
		_, err = p.Duration(name)
	default:
		_, err = p.String(name)
	}
	if err != nil || name != "compatibility_level" {
		return err
	}
	value, err := p.String(name)
	if err != nil {
		return err
	}
	if _, err := parseCompatLevel(value); err != nil {
		return p.fail(name, value, err, "%v: %s = %s", err, name, value)
	}
	return nil
}

func (b *Parameter) kind() Type {
	if b == nil {
		return TypeString
	}
	return b.Type
}
