package check

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The kinds of findings.
const (
	kindConfiguration = "configuration" // main.cf, master.cf
	kindType          = "type"          // no such map type
	kindFile          = "file"          // missing, or not readable by who opens it
	kindSyntax        = "syntax"        // in the table's file, its source, or its name
	kindApproval      = "approval"      // proxymap(8) will refuse the table
	kindStale         = "stale"         // the index is older than its source
	kindLookup        = "lookup"        // the server cannot be reached, or refuses the query; a damaged file
	kindMember        = "member"        // of a table that is made of others
	kindUnchecked     = "unchecked"     // could not be looked at
)

// Finding is one complaint.
type Finding struct {
	Kind string `json:"kind"`
	Text string `json:"text"`           // in one line
	File string `json:"file,omitempty"` // the file that the text is about, as far as it says so
	Line int    `json:"line,omitempty"`
}

var (
	fileLine    = regexp.MustCompile(`(/[^,\s]*), line (\d+)`)
	filePath    = regexp.MustCompile(`/[^\s:,;'"()]+`)
	whiteSpaces = regexp.MustCompile(`\s+`)
)

// maxText is how long the text of a finding can be, in bytes: some quote the whole value of a parameter.
const maxText = 300

// newFinding returns a finding. It takes file and line out of the text.
func newFinding(kind, text string) Finding {
	f := Finding{Kind: kind, Text: oneLine(text)}
	if len(f.Text) > maxText {
		f.Text = strings.ToValidUTF8(f.Text[:maxText], "") + "..."
	}
	if match := fileLine.FindStringSubmatch(f.Text); match != nil {
		f.File = match[1]
		f.Line, _ = strconv.Atoi(match[2])
	}
	return f
}

// password is the name of a parameter for a password, up to its value.
var password = regexp.MustCompile(`(?i)(pass|pwd|_pw\b|secret|token)[^ =]*[ =]`)

// withoutPassword leaves out of a message what stands behind the name of a parameter for a password. (Older tables have
// their settings in main.cf.)
func withoutPassword(text string) string {
	if at := password.FindStringIndex(text); at != nil {
		return text[:at[1]] + "(not shown)"
	}
	return text
}

// oneLine makes one line of a text that may hold a table's name written over several.
func oneLine(text string) string { return strings.TrimSpace(whiteSpaces.ReplaceAllString(text, " ")) }

// pathsIn returns the absolute paths that a text names.
func pathsIn(text string) []string {
	var paths []string
	for _, path := range filePath.FindAllString(text, -1) {
		paths = append(paths, filepath.Clean(path))
	}
	return paths
}

// warned classifies a warning that a table gave when it was opened or asked.
func warned(text string, asked bool) Finding {
	switch {
	case strings.HasPrefix(text, "database ") && strings.Contains(text, " is older than source file "):
		return newFinding(kindStale, text)
	case fileLine.MatchString(text) || !asked:
		return newFinding(kindSyntax, text)
	default:
		return newFinding(kindLookup, text)
	}
}
