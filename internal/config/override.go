package config

import (
	"fmt"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// Override is a setting from the command line.
type Override struct{ Name, Value string }

// ParseOverride reads the argument of a -o option: name=value, or { name = value } as master.cf has it.
func ParseOverride(arg string) (Override, error) {
	text := arg
	if strings.HasPrefix(text, "{") {
		var err error
		if text, err = textfile.UnbraceTrim(text); err != nil {
			return Override{}, fmt.Errorf("invalid \"-o %s\" option value: %w", arg, err)
		}
	}
	name, value, err := SplitNameValue(text)
	if err != nil {
		return Override{}, fmt.Errorf("invalid \"-o %s\" option value: %w", arg, err)
	}
	return Override{Name: name, Value: value}, nil
}
