package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// field is the place of the value in a JSON text: the names of members, and the
// numbers of elements, from the outside in.
type field []string

func parseField(text string) field {
	if text == "" {
		return nil
	}
	return strings.Split(text, ".")
}

// values returns the values in a JSON text: one for a string, number or boolean,
// one for each element of an array, none for null or when there is no such
// field. Other values are an error.
func (f field) values(text []byte) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("the answer is not one JSON value")
	}
	for _, name := range f {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			n, err := strconv.Atoi(name)
			if value = nil; err == nil && n >= 0 && n < len(v) {
				value = v[n]
			}
		case nil:
			return nil, nil
		default:
			return nil, fmt.Errorf("the answer has no field %s", strings.Join(f, "."))
		}
	}
	if list, ok := value.([]any); ok {
		var all []string
		for _, element := range list {
			one, err := f.scalar(element)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	return f.scalar(value)
}

// scalar returns the text of one value, or none for null.
func (f field) scalar(value any) ([]string, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case json.Number:
		return []string{v.String()}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	}
	return nil, fmt.Errorf("the field %s is neither text nor a number nor a list of them", strings.Join(f, "."))
}
