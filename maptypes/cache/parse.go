package cache

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/proxymapd/proxymapd/maptypes"
	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Limits say how long answers are kept, and how many.
type Limits struct {
	TTL          time.Duration // of a value, from when the table was asked
	NegativeTTL  time.Duration // of "not found"; 0: not kept
	StaleOnError time.Duration // how long after its TTL a value answers while the table cannot; 0: not at all
	MaxBytes     int64         // of memory, for all instances of the table together
}

// defaults are the limits that an entry need not name. NegativeTTL is never more
// than TTL unless it is set.
var defaults = Limits{TTL: time.Minute, NegativeTTL: 10 * time.Second, MaxBytes: 16 << 20}

// Entry is one table of a list.
type Entry struct {
	Table string // "type:name", without the proxy: prefix
	Limits
}

// ParseError says what is wrong with which entry of a list.
type ParseError struct {
	Entry string
	Err   error
}

// Error names the entry and the reason.
func (e *ParseError) Error() string { return fmt.Sprintf("%v in \"%s\"", e.Err, e.Entry) }

// Unwrap returns the reason.
func (e *ParseError) Unwrap() error { return e.Err }

const space = " \t\r\n"

// Parse reads a list of entries "type:name ttl=60s negative_ttl=10s
// stale_on_error=1h max_bytes=16M", which are separated by commas, or each in
// braces. The error is a *ParseError.
func Parse(list string) ([]Entry, error) {
	var entries []Entry
	for text, rest, ok := nextEntry(list); ok; text, rest, ok = nextEntry(rest) {
		e, err := parseEntry(text)
		for i := range entries {
			if err == nil && entries[i].Table == e.Table {
				err = errors.New("table is listed twice")
			}
		}
		if err != nil {
			return nil, &ParseError{Entry: text, Err: err}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// nextEntry returns the first entry of a list and the text after it. One in braces
// ends with them; another at the next comma.
func nextEntry(list string) (entry, rest string, ok bool) {
	list = strings.TrimLeft(list, textfile.CommaSpace)
	separators := ","
	if strings.HasPrefix(list, "{") {
		separators = textfile.CommaSpace
	}
	entry, rest, ok = textfile.NextWord(list, separators)
	return strings.Trim(entry, space), rest, ok
}

func parseEntry(text string) (Entry, error) {
	separators := space
	if strings.HasPrefix(text, "{") {
		inside, err := textfile.Unbrace(text)
		if err != nil {
			return Entry{}, err
		}
		text, separators = inside, textfile.CommaSpace
	}
	table, rest, _ := textfile.NextWord(text, separators)
	for strings.HasPrefix(table, "proxy:") {
		table = strings.TrimPrefix(table, "proxy:")
	}
	if _, _, err := maptypes.Split(table); err != nil {
		return Entry{}, fmt.Errorf("expecting \"type:name\" form instead of \"%s\"", table)
	}
	e := Entry{Table: table, Limits: defaults}
	seen := map[string]bool{}
	for word, rest, ok := textfile.NextWord(rest, separators); ok; word, rest, ok = textfile.NextWord(rest, separators) {
		name, value, found := strings.Cut(word, "=")
		switch {
		case !found:
			return Entry{}, fmt.Errorf("expecting name=value instead of \"%s\" (entries are separated by commas)", word)
		case seen[name]:
			return Entry{}, fmt.Errorf("%s is set twice", name)
		}
		seen[name] = true
		if err := e.set(name, value); err != nil {
			return Entry{}, err
		}
	}
	if !seen["negative_ttl"] {
		e.NegativeTTL = min(e.NegativeTTL, e.TTL)
	}
	return e, nil
}

// set sets one limit.
func (l *Limits) set(name, value string) (err error) {
	switch name {
	case "ttl":
		if l.TTL, err = maptypes.ParseTime(value, 's'); err == nil && l.TTL == 0 {
			err = errors.New("ttl must be at least 1s")
		}
	case "negative_ttl":
		l.NegativeTTL, err = maptypes.ParseTime(value, 's')
	case "stale_on_error":
		l.StaleOnError, err = maptypes.ParseTime(value, 's')
	case "max_bytes":
		l.MaxBytes, err = parseSize(value)
	default:
		err = fmt.Errorf("unknown name \"%s\": it must be one of ttl, negative_ttl, stale_on_error, max_bytes", name)
	}
	return err
}

// parseSize returns a number of bytes, at least 1, that may be followed by K, M or G.
func parseSize(text string) (int64, error) {
	digits, scale := text, int64(1)
	if n := len(text); n > 0 {
		if shift := 10 * (1 + strings.IndexByte("KMG", text[n-1]&^0x20)); shift > 0 {
			digits, scale = text[:n-1], 1<<shift
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n == 0 || n > math.MaxInt64/uint64(scale) {
		return 0, fmt.Errorf("bad size \"%s\": expecting a number of bytes, with K, M or G behind it or not", text)
	}
	return int64(n) * scale, nil
}
