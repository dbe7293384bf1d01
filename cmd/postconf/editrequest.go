package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proxymapd/proxymapd/internal/config"
)

const masterEditOptions = "-Me, -Fe, -Pe, -X, or -#"

// masterRequest is an edit of master.cf: service/type, with -F and -P /column or /parameter, and for -e =value.
type masterRequest struct {
	request
	column int      // with -F
	value  string   // with -e
	entry  *service // with -Me: the value, once it was parsed
}

// masterRequests reads the arguments.
func (pc *postconf) masterRequests() ([]*masterRequest, error) {
	var requests []*masterRequest
	for _, arg := range pc.args {
		r := &masterRequest{request: request{text: arg}}
		pattern, err := pc.splitRequest(r)
		if err != nil {
			return nil, err
		}
		if err := pc.parsePattern(r, pattern); err != nil {
			return nil, err
		}
		requests = append(requests, r)
	}
	return requests, nil
}

// splitRequest sets the request's value and returns what is in front of it.
func (pc *postconf) splitRequest(r *masterRequest) (pattern string, err error) {
	text := strings.TrimLeft(r.text, whiteSpace)
	switch {
	case strings.Contains(r.text, "\n"):
		return "", fmt.Errorf("%s accept no multi-line input", masterEditOptions)
	case strings.HasPrefix(text, "#"):
		return "", fmt.Errorf("%s accept no comment input", masterEditOptions)
	case pc.has(edit):
		if pattern, r.value, err = config.SplitNameValue(text); err != nil {
			return "", fmt.Errorf("%w: \"%s\"", err, r.text)
		}
		return pattern, nil
	case strings.Contains(text, "="):
		return "", errors.New("-X or -# requires names without value")
	}
	return strings.TrimRight(text, whiteSpace), nil
}

// parsePattern sets the parts of the request's pattern.
func (pc *postconf) parsePattern(r *masterRequest, pattern string) error {
	var ok bool
	switch {
	case pc.has(masterEntries):
		if r.parts, ok = splitPattern(pattern, 2, 2); !ok {
			return errors.New("-Me, -MX or -M# requires service_name/type")
		}
		return nil
	case pc.has(masterFields):
		if r.parts, ok = splitPattern(pattern, 3, 3); !ok {
			return errors.New("-Fe or -FX requires service_name/type/field_name")
		}
		return r.parseColumn()
	}
	if r.parts, ok = splitPattern(pattern, 3, 3); !ok {
		return errors.New("-Pe or -PX requires service_name/type/parameter")
	}
	if r.parts[2] == "*" {
		return errors.New("-Pe does not accept wild-card parameter name")
	}
	if strings.ContainsAny(r.value, blanks) {
		return errors.New("-Pe does not accept whitespace in parameter value")
	}
	return nil
}

// parseColumn finds the column of -Fe. Postfix takes an empty value for some columns, and then writes an entry that no
// program can read.
func (r *masterRequest) parseColumn() error {
	name := r.parts[2]
	r.column = slices.Index(columnNames, name)
	switch {
	case name == "*":
		return errors.New("-Fe does not accept wild-card field name")
	case r.column < 0:
		return fmt.Errorf("invalid service attribute name: \"%s\"", name)
	case r.column < columnCommand && strings.ContainsAny(r.value, blanks):
		return errors.New("-Fe does not accept whitespace in non-command field")
	case r.value == "":
		return fmt.Errorf("-Fe requires a value: \"%s\"", r.text)
	}
	return nil
}
