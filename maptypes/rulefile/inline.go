package rulefile

import (
	"strings"

	"github.com/proxymapd/proxymapd/maptypes/textfile"
)

// isInline reports whether a table's name is its content.
func isInline(name string) bool { return strings.HasPrefix(name, "{") }

// inlineText turns "{{rule}, {rule} ...}" into a file with one rule per line.
func inlineText(name string) (string, error) {
	list, err := textfile.Unbrace(name)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, word := range textfile.SplitBraceList(list) {
		rule, err := textfile.UnbraceTrim(word)
		if err != nil {
			return "", err
		}
		text.WriteString(rule)
		text.WriteByte('\n')
	}
	return text.String(), nil
}
