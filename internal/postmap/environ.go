package postmap

import (
	"fmt"
	"os"
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// setEnvironment makes the settings in import_environment: name=value, or
// { name = value }. Names alone say what daemons keep, and mean nothing here.
func setEnvironment(list string) error {
	for _, word := range textfile.SplitBraceList(list) {
		if strings.HasPrefix(word, "{") {
			var err error
			if word, err = textfile.UnbraceTrim(word); err != nil {
				return fmt.Errorf("import_environment: %w", err)
			}
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			continue
		}
		name, value = textfile.TrimSpace(name), textfile.TrimSpace(value)
		if name == "" {
			return fmt.Errorf("import_environment: missing attribute name in: %s", word)
		}
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("import_environment: set %s: %w", name, err)
		}
	}
	return nil
}
